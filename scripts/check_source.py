#!/usr/bin/env python3
"""Checks the sources as text: who includes whom, banned calls, sizes, leftovers.

usage: check_source.py [FOLDER]   (a git work tree; all files that are not ignored)
"""
import re
import subprocess
import sys
from pathlib import Path

FILE_LINES, FUNCTION_LINES, HEADER_LINES = 700, 100, 150

# A room may include itself and the rooms named here; lib knows no product. A folder that is not
# listed here is no room yet: a new library is a decision, made here.
LOWER = {"lib/pb", "lib/db", "lib/crypto", "lib/telemetry", "lib/json"}
# Above those: tokens are signatures (crypto) over JSON.
JOSE = {"lib/jose"}
ENGINES = {"lib/http", "lib/rpc"}
PRODUCT = {"services/user", "services/analytics", "gateway", "omnictl"}
MAY_INCLUDE = {
    "lib/base": set(),
    **{room: {"lib/base"} for room in LOWER},
    **{room: {"lib/base"} | LOWER for room in JOSE | ENGINES},
    "lib/aws": {"lib/base", "lib/http"} | LOWER,
    "lib/queue": {"lib/base", "lib/aws"} | LOWER | ENGINES,
    **{room: {"lib/base", "lib/queue"} | LOWER | JOSE | ENGINES for room in PRODUCT},
}
# Who knows AWS in the products: nobody but the backends that carry its names, and who chooses them.
AWS_FILES = re.compile(r"(services/\w+|omnictl)/(main|\w+_(aws|dynamodb|s3|sqs|sns)(_\w+)?)\.[ch]")
# Which rooms may see a third-party header.
THIRD_PARTY = {
    r"grpc/(?!health/|reflection/).*": {"lib/rpc"},
    r"jansson\.h": {"lib/json"},
    r"sqlite3\.h": {"lib/db"},
    r"protobuf-c/.*": {"lib/pb", "lib/rpc"},
    r"pb(_.*)?\.h": {"lib/pb"},
    r"openssl/.*": {"lib/crypto", "lib/http"},
    r"zstd.*\.h": {"services/analytics"},
    r"utf8proc\.h": {"services/user"},
    r"zlib\.h": {"gateway"},
    r"curl/.*": {"lib/http"},
    r"nghttp2/.*": {"lib/http"},
}
BANNED = re.compile(
    r"\b(sprintf|vsprintf|strcpy|strcat|strncpy|strncat|strtok|strtok_r|atoi|atol|atoll|atof|gets|"
    r"alloca|system)\s*\(")
HEAP = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|free)\s*\(")
LEFTOVERS = re.compile(r"\b(TODO|FIXME|XXX)\b")
MACHINE = re.compile(
    r"(^|[^A-Za-z0-9_])/(work|farm)/|\"resolved\": *\"http|"
    r"https?://[a-z0-9.-]*(registry|mirror|goproxy)[a-z0-9.-]*|(^|[^A-Za-z0-9_.])/home/\w+/|/root/")
ANY_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
# These files hold the patterns above.
EXEMPT = {"scripts/check_source.py", "tests/scripts/test_check_source.py"}
TEXT = {".c", ".h", ".py", ".js", ".mjs", ".json", ".html", ".css", ".proto", ".md", ".mk", ".sh",
        ".lua", ".ini", ".yaml", ".yml", ".toml", ".tf", ""}


def files_of(top):
    listed = subprocess.run(["git", "-C", top, "ls-files", "-z", "--cached", "--others",
                             "--exclude-standard"], capture_output=True, check=True).stdout
    return [Path(name) for name in sorted(listed.decode().split("\0"))
            if name and (top / name).is_file()]


def room_of(path):
    """lib/base, services/user, gateway …; None for tests and tools, which may include anything."""
    parts = path.parts
    if parts[0] in ("lib", "services"):
        return "/".join(parts[:2])
    return parts[0] if parts[0] in PRODUCT else None


def room_of_include(top, name):
    folder = name.split("/")[0]
    for candidate in (f"lib/{folder}", f"services/{folder}", folder):
        if candidate in MAY_INCLUDE and (top / candidate).is_dir():
            return candidate
    return None


def without_comments(text):
    """Comments and the insides of literals blanked, line for line."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match):
        found = match.group(0)
        return found[0] + found[-1] if found[0] in "\"'" else re.sub(r"[^\n]", " ", found)

    return pattern.sub(blank, text)


def include_problems(top, path, text):
    room = room_of(path)
    if room is None:
        return
    if room not in MAY_INCLUDE:
        yield f"{path}: {room} is no room that scripts/check_source.py knows"
        return
    for match in ANY_INCLUDE.finditer(text):
        kind, name = match.groups()
        where = f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
        generated = re.match(r"(omnidata|google|grpc)/.*\.pb(-c)?\.h$", name)
        if generated:
            continue
        for pattern, rooms in THIRD_PARTY.items():
            if re.fullmatch(pattern, name) and room not in rooms:
                yield f"{where}: <{name}> belongs to {' and '.join(sorted(rooms))}"
        other = room_of_include(top, name)
        if other == "lib/aws" and AWS_FILES.fullmatch(str(path)):
            continue
        if other and other != room and other not in MAY_INCLUDE[room]:
            yield f"{where}: {room} must not include {other} (\"{name}\")"
        if kind == '"' and "/" not in name:
            yield f"{where}: \"{name}\" is included without its folder"
    if path.suffix == ".h" and "#pragma once" not in text:
        yield f"{path}: no #pragma once"


def call_problems(path, code):
    for number, line in enumerate(code.splitlines(), 1):
        for match in BANNED.finditer(line):
            yield f"{path}:{number}: {match.group(1)} is banned"
        in_product = room_of(path) is not None
        if in_product and path != Path("lib/base/alloc.c") and HEAP.search(line):
            yield f"{path}:{number}: memory comes from base/alloc.h (xmalloc, xfree …)"


def function_problems(path, code):
    """With this project's format a function's body is between { and } in the first column."""
    start = None
    for number, line in enumerate(code.splitlines(), 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            if number - start + 1 > FUNCTION_LINES:
                yield f"{path}:{start}: a function of {number - start + 1} lines; " \
                      f"the most is {FUNCTION_LINES}"
            start = None


def size_problems(path, text):
    lines = text.count("\n")
    # A room's header is its manual; a test's may hold its code.
    if path.suffix == ".h" and lines > HEADER_LINES and room_of(path):
        yield f"{path}: a header of {lines} lines; the most is {HEADER_LINES}"
    if path.suffix in (".c", ".h", ".py", ".js", ".mjs", ".mk") or path.name == "Makefile":
        if lines > FILE_LINES:
            yield f"{path}: {lines} lines; the most is {FILE_LINES}"


def problems_of(top, path):
    if path.suffix not in TEXT or "corpus" in path.parts:
        return
    text = (top / path).read_text(errors="replace")
    if str(path) not in EXEMPT:
        for number, line in enumerate(text.splitlines(), 1):
            if LEFTOVERS.search(line):
                yield f"{path}:{number}: unfinished: {line.strip()[:80]}"
            if MACHINE.search(line):
                yield f"{path}:{number}: a machine's path or a registry's address: " \
                      f"{line.strip()[:80]}"
    yield from size_problems(path, text)
    if path.suffix in (".c", ".h"):
        code = without_comments(text)
        yield from include_problems(top, path, text)
        yield from call_problems(path, code)
        yield from function_problems(path, code)
        if not text.startswith("/*") and not text.startswith("//"):
            yield f"{path}: no opening comment that says what the file is"


def main():
    top = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
    problems = [problem for path in files_of(top) for problem in problems_of(top, path)]
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
