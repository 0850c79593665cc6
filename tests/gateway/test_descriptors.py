"""Descriptors that others would rather not write: names that cross, groups, editions."""
import subprocess
from concurrent import futures

import grpc
import httpx
import pytest
from google.protobuf import descriptor_pb2
from support.programs import ROOT

HEAD = """import "google/api/annotations.proto"; import "omnidata/api/v1/options.proto"; package odd.v1;
"""


class Upstream(grpc.GenericRpcHandler):
    """Takes any call: keeps the request's bytes in `asked`, and answers `answer`."""

    def __init__(self):
        self.asked, self.answer = [], b""
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self):
        self._server.stop(0).wait()

    def service(self, details):
        def answer(request, context):
            self.asked.append(request)
            return self.answer
        return grpc.unary_unary_rpc_method_handler(answer) if "/odd." in details.method else None


@pytest.fixture
def upstream():
    server = Upstream()
    yield server
    server.stop()


@pytest.fixture
def describe(tmp_path):
    """The descriptor set of one file's text, and the settings that go with it."""
    def run(text):
        (tmp_path / "odd.proto").write_text(text)
        made = tmp_path / "odd.binpb"
        subprocess.run(["protoc", f"-I{ROOT}/proto", f"-I{tmp_path}", "--include_imports",
                        f"--descriptor_set_out={made}", "odd.proto"], check=True)
        return made
    return run


@pytest.fixture
def serve(start, upstream):
    """A client of a gateway that was started with a descriptor set."""
    def run(made):
        gateway = start("omni-gateway", "--listen=127.0.0.1:0", "--access=open",
                        f"--descriptor-set={made}", f"--upstreams=odd=127.0.0.1:{upstream.port}")
        return httpx.Client(base_url=f"http://{gateway.address}", timeout=60)
    return run


@pytest.fixture
def refusal(run, upstream):
    """What a gateway says to a descriptor set before it ends."""
    def refused(made):
        done = run("omni-gateway", "--listen=127.0.0.1:0", "--access=open",
                   f"--descriptor-set={made}", f"--upstreams=odd=127.0.0.1:{upstream.port}")
        assert done.returncode == 2, done.stderr
        return done.stderr
    return refused


CROSSED = 'syntax = "proto3";' + HEAD + """
message Pair { string a = 1 [json_name = "b"]; string b = 2 [json_name = "a"]; int32 c = 3; }
message Box { Pair x = 1 [json_name = "y"]; Pair y = 2 [json_name = "x"]; }
service Crossed {
  rpc Get(Pair) returns (Pair) {
    option (google.api.http) = { get: "/pairs/{b}" additional_bindings { get: "/a-of/{b}" response_body: "a" } };
    option (omnidata.api.v1.policy) = { etag_field: "a" location: "/pairs/{b}" };
  }
  rpc Put(Box) returns (Box) {
    option (google.api.http) = { put: "/boxes/{y.a}" body: "x" };
    option (omnidata.api.v1.policy) = { if_match_field: "y.b" };
  }
}
"""


# Rules 6 and 11: options of methods name fields as the proto does; JSON and queries, as JSON does.
def test_names_that_cross(upstream, describe, serve):
    with serve(describe(CROSSED)) as http:
        upstream.answer = b"\x0a\x01A\x12\x01B"
        answer = http.get("/pairs/two?b=one&c=3")
        assert upstream.asked.pop() == b"\x12\x03two\x0a\x03one\x18\x03"
        assert answer.json() == {"b": "A", "a": "B"}
        assert (answer.headers["etag"], answer.headers["location"]) == ('"A"', "/pairs/B")
        refused = http.get("/pairs/two?a=two")
        assert refused.json()["error"]["message"] == "a: is given by the path already"
        assert http.get("/a-of/two").json() == "A"
        upstream.asked.clear()
        http.put("/boxes/P", json={"a": "q", "b": "p"}, headers={"If-Match": '"E"'})
        assert upstream.asked.pop() == b"\x0a\x06\x12\x01q\x0a\x01p\x12\x06\x0a\x01P\x12\x01E"
        refused = http.put("/boxes/P", json={"z": 1})
        assert refused.json()["error"]["details"][1]["fieldViolations"][0]["field"] == "x.z"


GROUPS = 'syntax = "proto2";' + HEAD + """
import "google/protobuf/any.proto";
message Old { optional group Part = 1 { optional string x = 1; } }
message Newer { repeated Old olds = 1; optional google.protobuf.Any any = 2; }
message New { optional google.protobuf.Any any = 2; }
service Odd {
  rpc Put(New) returns (New) { option (google.api.http) = { put: "/new" body: "*" }; }
  rpc Move(New) returns (%s) {
    option (google.api.http) = { put: "/newer" body: "*" };
    option (omnidata.api.v1.policy) = { access: %s };
  }
}
"""


# Rule 14: a field that would be lost, or written as no reader expects it, is told at start.
def test_groups(upstream, describe, serve, refusal):
    said = refusal(describe(GROUPS % ("Newer", "ACCESS_PUBLIC")))
    assert "/odd.v1.Odd/Move: odd.v1.Old.part is a group" in said
    said = refusal(describe(GROUPS % ("Old", "ACCESS_PUBLIC")))
    assert "/odd.v1.Odd/Move: odd.v1.Old.part is a group" in said
    with serve(describe(GROUPS % ("Old", "ACCESS_INTERNAL"))) as http:
        old = {"any": {"@type": "a/odd.v1.Newer"}}
        refused = http.put("/new", json=old)
        assert (refused.status_code, upstream.asked) == (400, [])
        assert "'a/odd.v1.Newer' is not known" in refused.text
        upstream.answer = b"\x12\x10\x0a\x0ea/odd.v1.Newer"
        assert http.put("/new", json={}).status_code == 500


PLAIN = 'syntax = "proto3";' + HEAD + """
message Part { string x = 1; }
message Whole { Part part = 1; int32 n = 2; repeated int32 list = 3; map<string, Part> map = 4; }
service Odd { rpc Put(Whole) returns (Whole) { option (google.api.http) = { put: "/w" body: "*" }; } }
"""
IMPLICIT, EXPANDED, PREFIXED, DELIMITED = b"\x08\x02", b"\x18\x02", b"\x28\x01", b"\x28\x02"


def in_edition(made, edition=b"\xe8\x07", file=b"", whole=b"", **fields):
    """The same file in an edition, with features of the file, of Whole and of its fields."""
    def say(options, tag, features):
        options.MergeFromString(tag + bytes([len(features)]) + features)

    files = descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes())
    odd = files.file[-1]
    odd.syntax = "editions"
    odd.MergeFromString(b"\x70" + edition)
    say(odd.options, b"\x92\x03", file)
    message = odd.message_type[1]
    say(message.options, b"\x62", whole)
    for field in message.field:
        say(field.options, b"\xaa\x01", fields.get(field.name, b""))
    made.write_bytes(files.SerializeToString())
    return made


BODY = {"part": {"x": ""}, "n": 0, "list": [1], "map": {"k": {"x": "y"}}}
MAP = b"\x22\x08\x0a\x01k\x12\x03\x0a\x01y"


# Rules 12 and 14: what an edition says of presence and lists is followed.
@pytest.mark.parametrize("features, wire", [
    ({}, b"\x0a\x02\x0a\x00\x10\x00\x1a\x01\x01" + MAP),
    ({"edition": b"\xe9\x07", "n": IMPLICIT}, b"\x0a\x02\x0a\x00\x1a\x01\x01" + MAP),
    ({"file": IMPLICIT + EXPANDED}, b"\x0a\x00\x18\x01" + MAP),
    ({"whole": IMPLICIT, "list": EXPANDED}, b"\x0a\x02\x0a\x00\x18\x01" + MAP),
    ({"file": DELIMITED, "part": PREFIXED}, b"\x0a\x02\x0a\x00\x10\x00\x1a\x01\x01" + MAP),
])
def test_editions(upstream, describe, serve, features, wire):
    with serve(in_edition(describe(PLAIN), **features)) as http:
        http.put("/w", json=BODY)
        assert upstream.asked == [wire]
        upstream.answer = wire
        assert http.put("/w", json={}).json()["map"] == BODY["map"]


# Rule 14: what it says and is not understood here is refused, not guessed.
@pytest.mark.parametrize("features, words", [
    ({"part": DELIMITED}, "odd.v1.Whole.part is DELIMITED"),
    ({"whole": DELIMITED}, "odd.v1.Whole.part is DELIMITED"),
    ({"file": DELIMITED}, "odd.v1.Whole.part is DELIMITED"),
    ({"edition": b"\xea\x07"}, "odd.v1.Whole has an edition or features"),
    ({"n": b"\x08\x04"}, "odd.v1.Whole.n has features"),
    ({"whole": b"\x28\x03"}, "odd.v1.Whole has an edition or features"),
])
def test_editions_that_are_not_understood(describe, refusal, features, words):
    assert f"/odd.v1.Odd/Put: {words}" in refusal(in_edition(describe(PLAIN), **features))


def test_a_oneof_that_is_not_there(describe, refusal):
    made = describe(PLAIN)
    files = descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes())
    files.file[-1].message_type[1].field[1].oneof_index = 3
    made.write_bytes(files.SerializeToString())
    assert "odd.v1.Whole: field n: no such oneof" in refusal(made)
