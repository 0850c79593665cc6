"""Descriptors that others would rather not write: names that cross."""
import subprocess
from concurrent import futures

import grpc
import httpx
import pytest
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
