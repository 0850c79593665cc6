"""/openapi.json: what it says of the contracts, and of a service that is not ours."""
import json
import re

import httpx
import pytest

from conftest import settings


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
