"""A gRPC server that is not ours, in Python, put behind the gateway by its descriptor set alone."""
import base64
import threading
from urllib.parse import quote, urlencode

import grpc
import httpx
import pytest
from foreign import Foreign
from google.rpc import error_details_pb2
from hypothesis import HealthCheck, given, settings, strategies as st
from support.raw_client import Raw
from upstream import events, fail

SERVICE = "example.library.v1.Library"


@pytest.fixture(scope="module")
def running(module_start, tmp_path_factory):
    library = Foreign("library.proto", tmp_path_factory.mktemp("set"), SERVICE)
    gateway = module_start("omni-gateway", "--deadline=7s", *library.settings)
    with httpx.Client(base_url=f"http://{gateway.address}", timeout=60) as http:
        yield library, http
    library.stop()


@pytest.fixture
def library(running):
    running[0].reset()
    return running[0]


@pytest.fixture
def http(running):
    return running[1]


BOOK = "shelves/1/books/2"
REQUESTS = [
    # method, target, body, the call and its request as JSON
    ("GET", f"/v1/{BOOK}", None, "GetBook", {"name": BOOK}),
    ("GET", "/v1/books/a%2Fb%20c", None, "GetBook", {"name": "a/b c"}),
    ("GET", "/v1/shelves/1%2F2/books/x%20y", None, "GetBook", {"name": "shelves/1%2F2/books/x y"}),
    ("GET", f"/v1/{BOOK}/title", None, "GetBook", {"name": BOOK}),
    ("GET", f"/v1/{BOOK}?readMask=title,readingTime", None, "GetBook",
     {"name": BOOK, "readMask": "title,readingTime"}),
    ("GET", f"/v1/{BOOK}?read_mask=reading_time", None, "GetBook",
     {"name": BOOK, "readMask": "readingTime"}),
    ("GET", "/v1/shelves/9/books?filter.genres=NOVEL&filter.genres=2&page_size=3"
            "&filter.publishedAfter=1999-12-31T23:00:00-01:00&filter.at_most=1.5s&filter.lent=false"
            "&filter.author.name=J+%26+K", None, "ListBooks",
     {"parent": "shelves/9", "pageSize": 3, "filter": {
         "genres": ["NOVEL", "POEMS"], "publishedAfter": "2000-01-01T00:00:00Z", "atMost": "1.500s",
         "lent": False, "author": {"name": "J & K"}}}),
    ("POST", "/v1/shelves/9/books?bookId=b1",
     {"title": "t", "genre": "NOVEL", "pages": "12", "authors": [{"name": "a"}, {"born": 1}],
      "labels": {"k": "v"}, "isbn": "i", "published": "2000-01-01T00:00:00Z", "readingTime": "2s",
      "subtitle": "", "notes": {"a": [None, 1, {}]}, "cover": "AQ", "shelfMark": 0}, "CreateBook",
     {"parent": "shelves/9", "bookId": "b1", "book": {
         "title": "t", "genre": "NOVEL", "pages": "12", "authors": [{"name": "a"}, {"born": 1}],
         "labels": {"k": "v"}, "isbn": "i", "published": "2000-01-01T00:00:00Z", "readingTime": "2s",
         "subtitle": "", "notes": {"a": [None, 1.0, {}]}, "cover": "AQ==", "shelfMark": 0}}),
    ("PATCH", f"/v1/{BOOK}", {"title": "t", "subtitle": None, "manuscriptOf": {"born": None}},
     "UpdateBook", {"book": {"name": BOOK, "title": "t", "manuscriptOf": {}},
                    "updateMask": "title,subtitle,manuscriptOf.born"}),
    ("PATCH", f"/v1/{BOOK}?updateMask=labels&readMask=title", {"title": "t"}, "UpdateBook",
     {"book": {"name": BOOK, "title": "t"}, "updateMask": "labels", "readMask": "title"}),
    ("PATCH", f"/v1/{BOOK}?updateMask=*", {"title": "t"}, "UpdateBook",
     {"book": {"name": BOOK, "title": "t"}, "updateMask": "*"}),
    ("DELETE", f"/v1/{BOOK}", None, "DeleteBook", {"name": BOOK}),
    ("POST", f"/v1/{BOOK}:move", {"to": "x", "name": "y"}, "MoveBook", {"name": BOOK, "to": "x"}),
    ("POST", f"/v1/{BOOK}:move?&", None, "MoveBook", {"name": BOOK}),
    # A body that is all of the request says its mask itself.
    ("PATCH", f"/v1/{BOOK}:move", {"to": "x"}, "MoveBook", {"name": BOOK, "to": "x"}),
    ("PATCH", f"/v1/{BOOK}:move", {"to": "x", "updateMask": "to"}, "MoveBook",
     {"name": BOOK, "to": "x", "updateMask": "to"}),
    # A list is replaced as a whole, so it has no mask of its own.
    ("PATCH", f"/v1/{BOOK}/keywords", ["a", "b"], "TagBook", {"name": BOOK, "keywords": ["a", "b"]}),
    # Nor have a map and what JSON says in its own way.
    ("PATCH", f"/v1/{BOOK}/labels", {"key": "k", "value": "v"}, "SetPart",
     {"name": BOOK, "labels": {"key": "k", "value": "v"}}),
    ("PATCH", f"/v1/{BOOK}/notes", {"fields": {"a": None}}, "SetPart",
     {"name": BOOK, "notes": {"fields": {"a": None}}}),
    ("PATCH", f"/v1/{BOOK}/notes?updateMask=notes&genre=2", {}, "SetPart",
     {"name": BOOK, "notes": {}, "updateMask": "notes", "genre": "POEMS"}),
    ("PUT", f"/v1/{BOOK}/cover", "AQI", "SetPart", {"name": BOOK, "cover": "AQI="}),
    ("PUT", f"/v1/{BOOK}/published", "2000-01-01T00:00:00Z", "SetPart",
     {"name": BOOK, "published": "2000-01-01T00:00:00Z"}),
    ("PUT", f"/v1/{BOOK}/genre", "POEMS", "SetPart", {"name": BOOK, "genre": "POEMS"}),
    ("GET", "/files/a/b%2Fc/d%20e", None, "ReadFile", {"path": "a/b%2Fc/d e"}),
    ("GET", "/files", None, "ReadFile", {}),
    ("GET", "/genres/POEMS/at/2000-01-01T00:00:00Z", None, "ReadFile",
     {"genre": "POEMS", "at": "2000-01-01T00:00:00Z"}),
    ("COPY", "/files/x", None, "Copy", {"path": "x"}),
    ("BREW", "/any/x", None, "AnyMethod", {"path": "x"}),
]


# Rules 6, 7, 8 and 9.
@pytest.mark.parametrize("method, target, body, call, request_", REQUESTS,
                         ids=[f"{row[0]}-{row[1].partition('?')[0]}-{i}" for i, row in enumerate(REQUESTS)])
def test_requests(library, http, method, target, body, call, request_):
    answer = http.request(method, target, **({} if body is None else {"json": body}))
    assert answer.status_code == 200, answer.text
    assert library.calls == [(call, request_)]


TEXT = st.text(min_size=1, max_size=8)


def ask(raw, target):
    answer = raw.get(target).response()
    assert answer.status == 200, (target, answer.body)


# Rules 7 and 8: any text arrives, by path and by query.
def test_any_text_arrives(library, http):
    with Raw(http.base_url.port) as raw:
        @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(TEXT, st.lists(TEXT, min_size=1, max_size=4), st.dictionaries(
            st.sampled_from(["filter.author.name", "filter.author.born", "pageSize"]),
            st.integers(-2**31, 2**31 - 1) | TEXT, max_size=3))
        def check(name, parts, fields):
            query = {key: value if (key == "filter.author.name") == isinstance(value, str) else
                     "x" if key == "filter.author.name" else 7 for key, value in fields.items()}
            library.calls.clear()
            ask(raw, f"/v1/books/{quote(name, safe='')}")
            ask(raw, "/files/" + "/".join(quote(part, safe="") for part in parts))
            ask(raw, f"/v1/shelves/1/books?{urlencode(query)}")
            assert library.calls[0] == ("GetBook", {"name": name})
            assert library.calls[1] == ("ReadFile", {"path": "/".join(
                part.replace("/", "%2F") for part in parts)})
            wanted = {"parent": "shelves/1"}
            for key, value in query.items():
                if key == "pageSize":
                    wanted |= {"pageSize": value} if value else {}
                else:
                    author = wanted.setdefault("filter", {}).setdefault("author", {})
                    author |= {key.rpartition(".")[2]: value} if value else {}
            assert library.calls[2] == ("ListBooks", wanted)

        check()


REFUSED = [
    # method, target, body, status, the field that is named (None: no field is)
    ("GET", f"/v1/{BOOK}", {}, 400, None),
    ("GET", f"/v1/{BOOK}?name=x", None, 400, "name"),
    ("GET", f"/v1/{BOOK}?title=x", None, 400, "title"),
    ("GET", "/v1/shelves/9/books?filter=x", None, 400, "filter"),
    ("GET", "/v1/shelves/9/books?filter.labels.a=x", None, 400, "filter.labels.a"),
    ("GET", "/v1/shelves/9/books?filter.authors.name=x", None, 400, "filter.authors.name"),
    ("GET", "/v1/shelves/9/books?filter.genres=HORROR", None, 400, "filter.genres"),
    ("GET", "/v1/shelves/9/books?filter.publishedAfter=1999", None, 400, "filter.publishedAfter"),
    ("GET", "/v1/shelves/9/books?filter.at_most=1", None, 400, "filter.at_most"),
    ("GET", "/v1/shelves/9/books?filter.lent=yes", None, 400, "filter.lent"),
    ("GET", "/genres/HORROR/at/2000-01-01T00:00:00Z", None, 400, "genre"),
    ("POST", "/v1/shelves/9/books?book.title=x", {}, 400, "book.title"),
    ("POST", "/v1/shelves/9/books", {"isbn": "x", "manuscriptOf": {}}, 400, "book.manuscriptOf"),
    ("POST", "/v1/shelves/9/books", {"authors": [{}, {"age": 1}]}, 400, "book.authors[1].age"),
    ("POST", f"/v1/{BOOK}:move?&to=x", {}, 400, "to"),
    ("POST", f"/v1/{BOOK}:move?=x", {}, 400, None),
    ("PATCH", f"/v1/{BOOK}/keywords", ["a", None], 400, "keywords[1]"),
    ("PATCH", f"/v1/{BOOK}/keywords", {"a": 1}, 400, "keywords"),
    ("PATCH", f"/v1/{BOOK}/labels", {"a": 1}, 400, "labels.a"),
    ("PUT", f"/v1/{BOOK}/cover", "*", 400, "cover"),
    ("PUT", f"/v1/{BOOK}/published", "now", 400, "published"),
    ("PUT", f"/v1/{BOOK}/genre?cover=AQ", "HORROR", 400, "genre"),
    ("PUT", "/files/x", None, 405, None),
    ("GET", "/v1/shelves/9", None, 404, None),
    ("POST", f"/{SERVICE}/Unmapped", {}, 404, None),
]


# Rules 6, 8 and 12: what does not fit is refused before the service hears of it, by the field's name.
@pytest.mark.parametrize("method, target, body, status, field", REFUSED,
                         ids=[f"{row[0]}-{row[1]}" for row in REFUSED])
def test_refusals(library, http, method, target, body, status, field):
    answer = http.request(method, target, **({} if body is None else {"json": body}))
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, status)
    named = [v["field"] for d in error["details"] for v in d.get("fieldViolations", [])]
    assert named == ([field] if field else []), error
    assert library.calls == []


# Rule 9: a mask that does not fit is not cut, but asked for.
def test_masks_that_are_too_long(library, http):
    def nested(depth):
        return {"theFollowingChapter": nested(depth - 1)} if depth else {"title": "t"}

    assert http.patch("/v1/chapters/a", json=nested(40)).status_code == 200
    mask = library.calls[-1][1]["updateMask"]
    assert mask == "theFollowingChapter." * 40 + "title"
    answer = http.patch("/v1/chapters/a", json=nested(60))
    named = answer.json()["error"]["details"][1]["fieldViolations"]
    assert (answer.status_code, named[0]["field"]) == (400, "updateMask")
    assert http.patch("/v1/chapters/a?updateMask=*", json=nested(60)).status_code == 200


# Rule 6: response_body, of any kind of field, also where it is not set.
def test_answers(library, http):
    book = {"name": BOOK, "title": "t", "authors": [{"name": "a"}], "pages": "9007199254740993"}
    library.answer["GetBook"] = book
    assert http.get(f"/v1/{BOOK}").json() == book
    assert http.get(f"/v1/{BOOK}/title").json() == "t"
    assert http.get(f"/v1/{BOOK}/authors").json() == [{"name": "a"}]
    library.answer["GetBook"] = {}
    assert http.get(f"/v1/{BOOK}/title").json() == ""
    assert http.get(f"/v1/{BOOK}/authors").json() == []
    assert http.delete(f"/v1/{BOOK}").json() == {}


PNG = bytes(range(256)) * 5
AS_JSON = {"contentType": "image/png", "data": base64.b64encode(PNG).decode()}


# Rule 6: google.api.HttpBody is a body as it is, wherever it is what a body is made of.
def test_bodies_that_are_no_json(library, http):
    def put(target, content, content_type):
        return http.put(f"/v1/{BOOK}/{target}", content=content,
                        headers={"Content-Type": content_type} if content_type else {})

    library.answer["PutCover"] = {"cover": AS_JSON, "note": "n"}
    answer = put("image?note=mine", PNG, "image/png")
    assert (answer.status_code, answer.json()) == (200, {"cover": AS_JSON, "note": "n"})
    answer = put("image:echo", PNG, None)
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/png", PNG)
    assert put("image", b"{", "application/json").status_code == 200
    assert put("image", b"", None).status_code == 200
    assert library.calls == [("PutCover", {"name": BOOK, **more}) for more in (
        {"cover": AS_JSON, "note": "mine"}, {"cover": {"data": AS_JSON["data"]}},
        {"cover": {"contentType": "application/json", "data": "ew=="}}, {})]
    # Of several it is a list of messages, and in JSON.
    assert put("backs", PNG, "image/png").status_code == 415
    assert http.put(f"/v1/{BOOK}/backs", json=[AS_JSON]).status_code == 200
    assert library.calls[4] == ("PutCover", {"name": BOOK, "backs": [AS_JSON]})

    library.answer["Develop"] = AS_JSON
    answer = http.post("/v1/images:develop", content=b"x", headers={"Content-Type": "text/plain"})
    assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
    assert library.calls[5] == ("Develop", {"contentType": "text/plain", "data": "eA=="})
    assert http.post("/v1/images:develop?data=eA", content=b"x").status_code == 400


def test_a_body_larger_than_a_message(library, start):
    small = start("omni-gateway", "--max-message-bytes=64KiB", *library.settings)
    with httpx.Client(base_url=f"http://{small.address}", timeout=60) as http:
        for method, target in (("PUT", f"/v1/{BOOK}/image"), ("POST", "/v1/images:develop")):
            answer = http.request(method, target, content=b"x" * 100_000)
            error = answer.json()["error"]
            assert (answer.status_code, error["details"][0]["reason"]) == (400, "REQUEST_TOO_LARGE")
    assert library.calls == []


# Rule 6
def test_answers_that_are_no_json(library, http):
    library.answer["GetCover"] = AS_JSON
    answer = http.get(f"/v1/{BOOK}/image")
    assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
    assert answer.headers["x-content-type-options"] == "nosniff"
    answer = http.head(f"/v1/{BOOK}/image")
    assert (answer.content, answer.headers["content-length"]) == (b"", str(len(PNG)))
    library.answer["GetCover"] = {}
    answer = http.get(f"/v1/{BOOK}/image")
    assert (answer.content, answer.headers["content-type"]) == (b"", "application/octet-stream")
    for wrong in ("image", "/png", "a/b\r\nSet-Cookie: x", "a/b ", "é/x"):
        library.answer["GetCover"] = {"contentType": wrong, "data": "eA=="}
        answer = http.get(f"/v1/{BOOK}/image")
        assert (answer.status_code, answer.json()["error"]["status"]) == (500, "INTERNAL"), wrong
        assert "set-cookie" not in answer.headers
    raw = http.get("/openapi.json").json()["paths"]
    assert raw["/v1/shelves/{name}/books/{name_2}/image"]["get"]["responses"]["200"]["content"] == {"*/*": {}}
    assert raw["/v1/images:develop"]["post"]["requestBody"]["content"] == {"*/*": {}}


# Rule 6: a stream of bodies is one body, and a client can tell that it is not whole.
def test_streams_that_are_no_json(library, http):
    def piece(data, content_type=""):
        return {"contentType": content_type, "data": base64.b64encode(data).decode()}

    def fails(after):
        def run(context):
            yield from after
            context.abort(grpc.StatusCode.DATA_LOSS, "the page is torn out")
        return run

    url = f"/v1/{BOOK}:readAloud"
    library.answer["ReadAloud"] = [piece(b"one ", "audio/wav"), piece(PNG), {}, piece(b" end", "a/b")]
    answer = http.get(url, headers={"Accept": "text/event-stream"})
    assert (answer.content, answer.headers["content-type"]) == (b"one " + PNG + b" end", "audio/wav")
    library.answer["ReadAloud"] = []
    answer = http.get(url)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert http.head(url).headers["content-type"] == "application/octet-stream"
    for wrong, status in ((fails([]), "DATA_LOSS"), ([piece(b"one", "wav")], "INTERNAL")):
        library.answer["ReadAloud"] = wrong
        assert http.get(url).json()["error"]["status"] == status
    for wrong in (fails([piece(b"one")]), [piece(b"one"), piece(b"two", "wav")]):
        library.answer["ReadAloud"] = wrong
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            http.get(url)
    assert http.get("/openapi.json").json()["paths"]["/v1/shelves/{name}/books/{name_2}:readAloud"]["get"][
        "responses"]["200"]["content"] == {"*/*": {}}


# Rule 19: no sign of life fits in, so that only silence tells that a client that has ended its side is
# gone: three heartbeats of it.
@pytest.mark.parametrize("begun", [False, True])
def test_a_client_that_left_a_stream_of_bytes_in_silence(start, library, begun):
    cancelled = threading.Event()

    def silent(context):
        context.add_callback(cancelled.set)
        if begun:
            yield {"data": "YQ=="}
        cancelled.wait(60)

    library.answer["ReadAloud"] = silent
    gateway = start("omni-gateway", "--heartbeat=100ms", *library.settings)
    with Raw(gateway.port) as raw:
        raw.get(f"/v1/{BOOK}:readAloud")
        if begun:
            raw.head()
            assert raw.chunk() == b"a"
    assert cancelled.wait(30)


# Rule 19.
def test_a_half_closed_reader_of_a_stream_of_bytes(library, http):
    release = threading.Event()

    def later(context):
        release.wait(60)
        yield {"data": "YQ=="}

    library.answer["ReadAloud"] = later
    with Raw(http.base_url.port) as raw:
        raw.get(f"/v1/{BOOK}:readAloud").half_close()
        raw.socket.settimeout(1)
        with pytest.raises(TimeoutError):
            raw.head()
        raw.socket.settimeout(60)
        release.set()
        assert raw.response().body == b"a"


# Rule 6: response_body of each message of a stream.
def test_streams(library, http):
    library.answer["WatchShelf"] = [{"total": 1, "books": [{"title": "t"}]}, {"total": 2}]
    whole = events(http.get("/v1/shelves/1:watch").text)
    assert whole == 'data: {"books":[{"title":"t"}],"total":1}\n\ndata: {"total":2}\n\n'
    assert events(http.get("/v1/shelves/1:count").text) == "data: 1\n\ndata: 2\n\n"
    assert library.calls == [("WatchShelf", {"parent": "shelves/1"})] * 2


# Rule 3: HEAD of a stream, whose length is not known, calls nobody.
@pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson"])
def test_head_of_a_stream_is_gets(library, http, accept):
    library.answer["WatchShelf"] = []
    got, head = (http.request(method, "/v1/shelves/1:watch", headers={"Accept": accept})
                 for method in ("GET", "HEAD"))
    own = ("date", "x-request-id", "traceresponse")
    assert [(k, v) for k, v in head.headers.items() if k not in own] == \
        [(k, v) for k, v in got.headers.items() if k not in own]
    assert "content-length" not in head.headers and head.content == b""
    assert len(library.calls) == 1


# Rule 17: details are kept, of google.rpc and of the service's own types, and those that nobody knows.
def test_details_of_errors(library, http):
    from google.protobuf import any_pb2

    def refuse(context):
        fail(context, grpc.StatusCode.FAILED_PRECONDITION, "it is lent",
             error_details_pb2.ErrorInfo(reason="LENT", domain="example.library"),
             error_details_pb2.BadRequest(field_violations=[
                 error_details_pb2.BadRequest.FieldViolation(field="name", description="is lent")]),
             any_pb2.Any(type_url="type.googleapis.com/example.Other", value=b"\x01"))

    library.answer["GetBook"] = refuse
    answer = http.get(f"/v1/{BOOK}")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["message"], error["status"]) == ("it is lent", "FAILED_PRECONDITION")
    google = "type.googleapis.com/google.rpc"
    assert error["details"] == [
        {"@type": f"{google}.ErrorInfo", "reason": "LENT", "domain": "example.library"},
        {"@type": f"{google}.BadRequest", "fieldViolations": [
            {"field": "name", "description": "is lent"}]},
        {"@type": "type.googleapis.com/example.Other", "value": "AQ=="}]


# Rules 16 and 18: nobody asked too often, and the caller need not know how much a message may hold.
def test_an_answer_that_is_too_large(library, http):
    library.answer["GetBook"] = {"title": "x" * 5_000_000}
    answer = http.get(f"/v1/{BOOK}")
    error = answer.json()["error"]
    assert (answer.status_code, error["details"][0]["reason"]) == (500, "MESSAGE_TOO_LARGE")
    assert "retry-after" not in answer.headers and "4194304" not in answer.text
    library.answer["GetBook"] = {"title": "x" * 4_000_000}
    assert len(http.get(f"/v1/{BOOK}").json()["title"]) == 4_000_000


# Rule 13: as deep as protobuf's readers go, and what was taken comes back; more is not the upstream's to refuse.
def test_depth(library, http):
    def nested(depth):
        return {"k": nested(depth - 1)} if depth else 1

    library.answer["CreateBook"] = {"notes": nested(33)}
    answer = http.post("/v1/shelves/9/books", json={"notes": nested(33)})
    assert (answer.status_code, answer.json()["notes"]) == (200, nested(33))
    assert library.calls[0][1]["book"]["notes"] == nested(33)
    answer = http.post("/v1/shelves/9/books", json={"notes": nested(34)})
    error = answer.json()["error"]
    assert (answer.status_code, len(library.calls)) == (400, 1)
    assert error["details"][0]["reason"] == "INVALID_FIELD" and "nested too deep" in error["message"]


# Rule 19: the deadline of the request goes along.
def test_the_deadline_arrives(library, http):
    http.get(f"/v1/{BOOK}")
    assert 0 < library.times[0] < 8  # gRPC rounds up


# Rule 5: who answers, and knows nothing of health checks, is well.
def test_it_is_ready(http, wait_until):
    wait_until(lambda: http.get("/readyz").status_code == 200)
    assert http.get("/readyz").json()["upstreams"] == [{"services": SERVICE, "healthy": True}]


def test_upstreams_of_nobody_are_told(start, library):
    port = library.port
    gateway = start("omni-gateway", *library.settings[:-1],
                    f"--upstreams=example.library=127.0.0.1:{port},example.libary.v1=127.0.0.1:{port}")
    assert [line["services"] for line in gateway.events("upstream_unused")] == ["example.libary.v1"]


def test_the_description_is_of_this_service(http):
    document = http.get("/openapi.json").text
    assert "example.library.v1.Book" in document and "omnidata" not in document
