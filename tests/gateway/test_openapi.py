"""/openapi.json: what it says of the contracts, and of a service that is not ours."""
import json
import re
import subprocess

import httpx
import pytest

from conftest import settings
from support.programs import ROOT


@pytest.fixture(scope="module")
def document(gateway):
    answer = httpx.get(f"http://{gateway.address}/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def operations(document):
    return [(path, verb, operation) for path, item in document["paths"].items()
            for verb, operation in item.items()]


def references(value):
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


# Rules 3 and 20.
def test_it_is_an_answer_like_others(gateway, http):
    answer = http.get("/openapi.json")
    assert answer.headers["cache-control"] == "no-cache" and answer.headers["x-request-id"]
    again = http.get("/openapi.json", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    packed = http.get("/openapi.json", headers={"Accept-Encoding": "gzip"})
    plain = http.get("/openapi.json", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and packed.json() == plain.json()
    assert packed.headers["etag"] != plain.headers["etag"]
    assert http.head("/openapi.json").headers["content-length"]
    refused = http.post("/openapi.json")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


def test_all_references_lead_somewhere(document):
    found = set(references(document))
    assert len(found) > 20
    for reference in found:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_operation_is_complete(document):
    ids = set()
    shapes = set()
    for path, verb, operation in operations(document):
        assert operation["operationId"] not in ids
        ids.add(operation["operationId"])
        assert operation["summary"] and operation["description"], operation["operationId"]
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Error"}
        named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert named == set(re.findall(r"\{([^}]*)\}", path)), path
        shapes.add(re.sub(r"\{[^}]*\}", "{}", path))
    assert len(shapes) == len(document["paths"])  # no path twice under other names
    assert document["openapi"].startswith("3.1.")


def test_routes_and_policies(document):
    paths = document["paths"]
    create = paths["/v1/users"]["post"]
    assert set(create["responses"]) == {"201", "default"}
    assert set(create["responses"]["201"]["headers"]) == {"ETag", "Location"}
    assert create["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("v1.User")
    assert {p["name"] for p in create["parameters"]} == {"requestId", "Idempotency-Key"}
    user = paths["/v1/users/{id}"]
    assert set(user) == {"get", "patch", "delete"}
    assert set(user["delete"]["responses"]) == {"204", "default"}
    assert {p["name"] for p in user["patch"]["parameters"]} == {
        "id", "updateMask", "requestId", "Idempotency-Key", "If-Match"}
    assert "304" in user["get"]["responses"]
    ids = paths["/v1/users:batchGet"]["get"]["parameters"][0]
    assert (ids["name"], ids["in"], ids["schema"]["type"]) == ("ids", "query", "array")
    tail = paths["/v1/analytics/events:tail"]["get"]["responses"]["200"]["content"]
    assert set(tail) == {"text/event-stream", "application/x-ndjson"}
    assert not any("RecordEvents" in o["operationId"] for _, _, o in operations(document))


def test_types(document):
    schemas = document["components"]["schemas"]
    user = schemas["omnidata.user.v1.User"]
    assert user["additionalProperties"] is False
    properties = user["properties"]
    assert properties["createTime"]["format"] == "date-time" and properties["createTime"]["readOnly"]
    assert properties["labels"]["additionalProperties"] == {"type": "string"}
    assert "readOnly" not in properties["email"] and "email address" in properties["email"]["description"]
    assert "USER_STATUS_ACTIVE" in schemas["omnidata.user.v1.UserStatus"]["enum"]


def test_who_may_call_is_said_when_it_is_asked(start, upstream):
    gateway = start("omni-gateway", *settings(upstream, access="policy", api_title="People"),
                    f"--upstreams=omnidata={upstream.target}")
    document = httpx.get(f"http://{gateway.address}/openapi.json").json()
    assert document["info"]["title"] == "People"
    assert set(document["components"]["securitySchemes"]) == {"key", "signIn"}
    assert document["paths"]["/v1/users"]["get"]["security"] == [{"key": []}]
    assert document["paths"]["/v1/users"]["post"]["security"] == [{"key": [], "signIn": ["users.write"]}]


def test_a_service_that_is_not_ours(start, upstream, gen):
    gateway = start("omni-gateway", f"--descriptor-set={gen / 'nasty.binpb'}", "--listen=127.0.0.1:0",
                    f"--upstreams=omnidata.test.nasty={upstream.target}", "--access=open",
                    "--unknown-fields=ignore")
    document = httpx.get(f"http://{gateway.address}/openapi.json").json()
    assert len(document["paths"]) == 4
    for reference in references(document):
        assert reference.removeprefix("#/components/").split("/")[0] in ("schemas", "responses")
    scalars = document["components"]["schemas"]["omnidata.test.nasty.Scalars"]
    assert scalars["additionalProperties"] is True
    properties = scalars["properties"]
    assert properties["aInt64"]["type"] == ["string", "integer"]
    assert properties["aBytes"]["contentEncoding"] == "base64"
    assert properties["aDouble"]["type"] == ["number", "string"]
    shapes = [re.sub(r"\{[^}]*\}", "{}", path) for path in document["paths"]]
    assert len(set(shapes)) == len(shapes), json.dumps(sorted(shapes))


FILE = """syntax = "proto3"; {package}
import "google/api/annotations.proto"; import "google/protobuf/field_mask.proto";
message Error {{ string name = 1; google.protobuf.FieldMask mask = 2; Error error = 3; }}
service Library {{
  rpc Get(Error) returns (Error) {{ option (google.api.http) = {{ get: "{root}/{{name}}" }}; }}
  rpc Rename(Error) returns (Error) {{
    option (google.api.http) = {{ post: "{root}/{{error.name}}" body: "error" }};
  }}
}}
"""


@pytest.fixture(scope="module")
def clashing(tmp_path_factory):
    """Services and messages of the same names, one without a package; paths that differ in names."""
    folder = tmp_path_factory.mktemp("clashing")
    for name, package in (("one", ""), ("two", "package two.v1;")):
        (folder / f"{name}.proto").write_text(FILE.format(package=package, root=f"/{name}"))
    made = folder / "set.binpb"
    subprocess.run(["protoc", f"-I{ROOT}/proto", f"-I{folder}", "--include_imports",
                    f"--descriptor_set_out={made}", "one.proto", "two.proto"], check=True)
    return made


def read_document(start, upstream, descriptor_set, *options):
    gateway = start("omni-gateway", "--listen=127.0.0.1:0", f"--descriptor-set={descriptor_set}",
                    f"--upstreams=Library={upstream.target},two.v1.Library={upstream.target}",
                    "--access=open", *options)
    text = httpx.get(f"http://{gateway.address}/openapi.json").text

    def without_doubles(pairs):
        assert len(dict(pairs)) == len(pairs), [key for key, _ in pairs]
        return dict(pairs)
    return json.loads(text, object_pairs_hook=without_doubles)


def test_names_that_clash(start, upstream, clashing):
    document = read_document(start, upstream, clashing)
    found = operations(document)
    assert len(found) == 4 == len({operation["operationId"] for _, _, operation in found})
    assert [tag["name"] for tag in document["tags"]] == ["Library", "two.v1.Library"]
    assert {operation["tags"][0] for _, _, operation in found} == {"Library", "two.v1.Library"}
    assert set(document["paths"]) == {"/one/{name}", "/two/{name}"}
    for path, _, operation in found:
        named = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
        assert named == re.findall(r"\{([^}]*)\}", path), path
    schemas = document["components"]["schemas"]
    assert set(schemas) == {"Error", "two.v1.Error", "http-error", "http-problem"}
    for reference in references(document):
        section, name = reference.removeprefix("#/components/").split("/")
        assert name in document["components"][section]
    assert schemas["Error"]["properties"]["mask"] == {"type": "string", "format": "field-mask"}
    assert document["paths"]["/one/{name}"]["post"]["requestBody"]["required"] is True


def test_settings_change_what_is_said(start, upstream):
    changed = {"error_shape": "aws", "require_if_match": "true"}
    for set_to, member, required in ((changed, "message", True), ({}, "error", None)):
        gateway = start("omni-gateway", *settings(upstream, **set_to))
        document = httpx.get(f"http://{gateway.address}/openapi.json").json()
        assert document["components"]["schemas"]["http-error"]["required"] == [member]
        if_match = [p for p in document["paths"]["/v1/users/{id}"]["patch"]["parameters"]
                    if p["name"] == "If-Match"]
        assert if_match[0].get("required") is required
