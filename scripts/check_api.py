#!/usr/bin/env python3
"""Checks the contracts: every element has a comment, and nothing that callers rely on is broken.

The API is written down as sorted text, a fact per line, in proto/baseline/api.txt. A fact that is
there must stay: no field is removed, renumbered or retyped, no method or HTTP binding goes. New
facts are welcome and are added to the baseline by `make api-baseline`, which refuses to lose any.

usage: check_api.py [--proto DIR] [--baseline FILE] [--update [--allow-breaking]]
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf import descriptor_pb2

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = "omnidata."
FIELD = descriptor_pb2.FieldDescriptorProto
VERBS = ("get", "put", "post", "delete", "patch")


def compile_protos(folder):
    """The FileDescriptorSet with comments, read with this project's method options known."""
    protos = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as tmp:
        out = f"{tmp}/set.binpb"
        subprocess.run(["protoc", f"-I{folder}", f"--python_out={tmp}", f"--descriptor_set_out={out}",
                        "--include_imports", "--include_source_info", *protos], check=True)
        sys.path.insert(0, tmp)
        from google.api import annotations_pb2
        from omnidata.api.v1 import options_pb2
        sys.path.remove(tmp)
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(out).read_bytes())
    return files, annotations_pb2.http, options_pb2.policy


def type_text(field):
    if field.type_name:
        return field.type_name.lstrip(".")
    return FIELD.Type.Name(field.type)[len("TYPE_"):].lower()


def field_fact(owner, field, oneofs):
    label = FIELD.Label.Name(field.label)[len("LABEL_"):].lower()
    parts = [f"field {owner}.{field.name}", f"{field.number} {label} {type_text(field)}",
             f"json={field.json_name}"]
    if field.HasField("oneof_index"):
        parts.append(f"oneof={oneofs[field.oneof_index].name}")
    return parts[0], " ".join(parts[1:])


def message_facts(prefix, message):
    name = f"{prefix}.{message.name}"
    yield f"message {name}", ""
    for field in message.field:
        yield field_fact(name, field, message.oneof_decl)
    for enum in message.enum_type:
        yield from enum_facts(name, enum)
    for nested in message.nested_type:
        yield from message_facts(name, nested)


def enum_facts(prefix, enum):
    name = f"{prefix}.{enum.name}"
    yield f"enum {name}", ""
    for value in enum.value:
        yield f"value {name}.{value.name}", str(value.number)


def binding_text(rule):
    verb = rule.WhichOneof("pattern")
    path = getattr(rule, verb)
    if verb == "custom":
        verb, path = path.kind, path.path
    return f"{verb.upper()} {path} body={rule.body} response={rule.response_body}"


def service_facts(prefix, service, http, policy):
    name = f"{prefix}.{service.name}"
    yield f"service {name}", ""
    for method in service.method:
        full = f"{name}.{method.name}"
        streams = [("stream " if s else "") + t.lstrip(".") for s, t in (
            (method.client_streaming, method.input_type),
            (method.server_streaming, method.output_type))]
        yield f"method {full}", " -> ".join(streams)
        rule = method.options.Extensions[http]
        if rule.WhichOneof("pattern"):
            # A binding is its own fact: another may be added, none may go.
            for binding in (rule, *rule.additional_bindings):
                yield f"http {full} {binding_text(binding)}", ""
            status = method.options.Extensions[policy].success_status or 200
            yield f"status {full}", str(status)


def facts_of(files, http, policy):
    facts = {}
    for file in files.file:
        if not file.package.startswith(PRODUCT):
            continue
        for message in file.message_type:
            facts.update(message_facts(file.package, message))
        for enum in file.enum_type:
            facts.update(enum_facts(file.package, enum))
        for service in file.service:
            facts.update(service_facts(file.package, service, http, policy))
        for extension in file.extension:
            facts.update([field_fact(file.package, extension, [])])
    return facts


def lines_of(facts):
    return sorted(f"{key} : {value}" if value else key for key, value in facts.items())


def read_baseline(path):
    facts = {}
    for line in path.read_text().splitlines():
        key, _, value = line.partition(" : ")
        facts[key] = value
    return facts


def compare(old, new):
    """What breaks callers, and what is only new."""
    breaks, added = [], []
    for key, value in old.items():
        if key not in new:
            breaks.append(f"{key} was removed (it was: {value or 'there'})")
        elif new[key] != value:
            breaks.append(f"{key} was changed from \"{value}\" to \"{new[key]}\"")
    added = [key for key in new if key not in old]
    return breaks, added


def walk_elements(file):
    """(path in SourceCodeInfo, name) of everything that wants a comment; map entries have none."""
    def messages(path, prefix, items):
        for i, message in enumerate(items):
            if message.options.map_entry:
                continue
            here, name = path + (i,), f"{prefix}.{message.name}"
            yield here, name
            for j, field in enumerate(message.field):
                yield here + (2, j), f"{name}.{field.name}"
            for j, oneof in enumerate(message.oneof_decl):
                yield here + (8, j), f"{name}.{oneof.name}"
            yield from enums(here + (4,), name, message.enum_type)
            yield from messages(here + (3,), name, message.nested_type)

    def enums(path, prefix, items):
        for i, enum in enumerate(items):
            yield path + (i,), f"{prefix}.{enum.name}"
            for j, value in enumerate(enum.value):
                yield path + (i, 2, j), f"{prefix}.{enum.name}.{value.name}"

    yield from messages((4,), file.package, file.message_type)
    yield from enums((5,), file.package, file.enum_type)
    for i, service in enumerate(file.service):
        yield (6, i), f"{file.package}.{service.name}"
        for j, method in enumerate(service.method):
            yield (6, i, 2, j), f"{file.package}.{service.name}.{method.name}"
    for i, extension in enumerate(file.extension):
        yield (7, i), f"{file.package}.{extension.name}"


def comment_problems(files, folder):
    for file in files.file:
        if not (folder / file.name).exists():
            continue  # a well-known type
        commented = {tuple(location.path) for location in file.source_code_info.location
                     if location.leading_comments.strip() or location.trailing_comments.strip()}
        for path, name in walk_elements(file):
            if path not in commented:
                yield f"proto/{file.name}: {name} has no comment"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--proto", type=Path, default=ROOT / "proto")
    parser.add_argument("--baseline", type=Path, default=ROOT / "proto/baseline/api.txt")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--allow-breaking", action="store_true")
    options = parser.parse_args()

    files, http, policy = compile_protos(options.proto)
    new = facts_of(files, http, policy)
    old = read_baseline(options.baseline) if options.baseline.exists() else {}
    breaks, added = compare(old, new)
    problems = [f"breaking change of the API: {text}" for text in breaks]
    if options.update:
        if problems and not options.allow_breaking:
            print("\n".join(problems))
            return 1
        options.baseline.write_text("\n".join(lines_of(new)) + "\n")
        print(f"{options.baseline}: {len(added)} new facts, {len(new)} in all")
        return 0
    if added and not breaks:
        problems.append(f"the API has grown by {len(added)} facts (the first: {added[0]}): "
                        "run `make api-baseline` and commit it")
    problems += comment_problems(files, options.proto)
    if not old:
        problems.append(f"{options.baseline} is missing or empty")
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
