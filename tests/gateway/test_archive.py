"""Resources of a service that is not ours: what the policies of its methods make of a request."""
import grpc
import httpx
import pytest
from foreign import Foreign
from upstream import error_info, fail

SERVICE = "example.archive.v1.Archive"


@pytest.fixture(scope="module")
def running(module_start, tmp_path_factory):
    archive = Foreign("archive.proto", tmp_path_factory.mktemp("set"), SERVICE)
    gateway = module_start("omni-gateway", *archive.settings)
    with httpx.Client(base_url=f"http://{gateway.address}", timeout=60) as http:
        yield archive, http
    archive.stop()


@pytest.fixture
def archive(running):
    running[0].reset()
    return running[0]


@pytest.fixture
def http(running):
    return running[1]


def refusal(answer):
    error = answer.json()["error"]
    assert answer.status_code == error["code"] == 400, error
    return error["message"]


# Rules 20 and 21: a header and the body may say the same, not two things.
def test_headers_do_not_contradict_the_body(archive, http):
    stamp = "/v1/folios/a:stamp"
    for name, header, text in (("requestId", "Idempotency-Key", "k"), ("etag", "If-Match", '"k"')):
        for said in ("k", "", None):
            assert http.post(stamp, json={name: said}, headers={header: text}).status_code == 200
            assert archive.calls.pop() == ("StampFolio", {"name": "a", name: "k"})
        answer = http.post(stamp, json={name: "other"}, headers={header: text})
        assert refusal(answer) == f"{name}: is not what {header} says"
    # What the path says is no condition: it wins.
    assert http.post(stamp, json={"name": "b"}).status_code == 200
    assert archive.calls == [("StampFolio", {"name": "a"})]


# Rules 9 and 12: what is ignored is neither written nor in the mask that the service goes by.
def test_what_is_ignored_changes_nothing(archive, start):
    gateway = start("omni-gateway", "--unknown-fields=ignore", *archive.settings)
    with httpx.Client(base_url=f"http://{gateway.address}", timeout=60) as http:
        for body, folio, mask in (
                ({"title": "t", "colour": "PURPLE"}, {"title": "t"}, "title"),
                ({"seal": {"nope": 1}}, {}, ""),
                ({"seal": {"nope": 1, "motto": None}}, {"seal": {}}, "seal.motto"),
                ({"seal": {"colour": "PURPLE", "counter": {"nope": {}}}, "inks": []}, {}, "inks"),
                ({"seal": {}}, {"seal": {}}, "seal"),
                ({"inks": ["PURPLE"], "marks": {"a": "PURPLE"}}, {}, ""),
                ({"inks": ["PURPLE", "RED"]}, {"inks": ["RED"]}, "inks"),
                ({"gift": {"nope": 1}, "title": ""}, {}, "title")):
            assert http.patch("/v1/folios/a", json=body).status_code == 200
            assert archive.calls.pop()[1] == {"folio": {"name": "a", **folio}, "updateMask": mask}, body
        # A body is there, whatever is in it.
        http.post("/v1/folios", json={"nope": 1})
        assert archive.calls.pop()[1] == {"folio": {}}


# Rule 20: etags that have their quotes in them (AIP-154), and those that have none.
def test_etags_with_quotes(archive, http):
    for etag, shown in (('"foo"', '"foo"'), ('W/"foo"', 'W/"foo"'), ("foo", '"foo"'), ("W/foo", '"W/foo"'),
                        ('""', None), ('W/""', None), ('"', None), ('"a b"', None), ('"a"b"', None)):
        archive.answer["GetFolio"] = {"etag": etag}
        answer = http.get("/v1/folios/a")
        assert (answer.status_code, answer.headers.get("etag")) == (200, shown)
        for tag in filter(None, (shown, shown and f'W/"x", {shown.removeprefix("W/")}')):
            assert http.get("/v1/folios/a", headers={"If-None-Match": tag}).status_code == 304
        assert http.get("/v1/folios/a", headers={"If-None-Match": '"other"'}).status_code == 200
    for path, etag in (("folios", "foo"), ("quoted", '"foo"')):
        patched = http.patch(f"/v1/{path}/a", json={"etag": etag}, headers={"If-Match": 'W/"x","foo"'})
        assert patched.status_code == 200
        assert archive.calls.pop()[1]["folio"] == {"name": "a", "etag": etag}
        assert http.patch(f"/v1/{path}/a", json={}, headers={"If-Match": 'W/"foo"'}).status_code == 412


# Rule 20: FAILED_PRECONDITION is what AIP-154 says of a stale etag, and 400 where no header asked.
def test_stale_etags(archive, http):
    for code, without in ((grpc.StatusCode.ABORTED, 409), (grpc.StatusCode.FAILED_PRECONDITION, 400)):
        for reason, status in (("ETAG_MISMATCH", 412), ("LENT", without)):
            archive.answer["UpdateQuoted"] = lambda context: fail(context, code, "no", error_info(reason))
            answer = http.patch("/v1/quoted/a", json={}, headers={"If-Match": '"e"'})
            assert answer.status_code == status
            assert http.patch("/v1/quoted/a", json={"etag": '"e"'}).status_code == without


# Rules 7 and 10: a location leads back to what was made, by the GET route that takes it.
@pytest.mark.parametrize("target, name, location", [
    ("/v1/folios", "a b", "/v1/folios/a%20b"),
    ("/v1/folios", "a/b", "/v1/folios/a%2Fb"),
    ("/v1/shelves", "shelves/a b", "/v1/shelves/a%20b"),
    ("/all", "a/b c/d%2Fe", "/all/a/b%20c/d%252Fe"),
    ("/all", "a", "/all/a"),
    # No step on the way is one that a client takes back.
    ("/all", "a/../b", "/all/a%2F..%2Fb"),
    ("/all", "a//b", "/all/a%2F%2Fb"),
    # Nobody takes it.
    ("/v1/shelves", "other/a", "/v1/other%2Fa"),
    ("/hidden", "a/b", "/hidden/a%2Fb"),
])
def test_locations(archive, http, target, name, location):
    archive.answer = {method: {"name": name} for method in
                      ("CreateFolio", "CreateShelf", "CreateAny", "CreateHidden")}
    answer = http.post(target, json={})
    assert (answer.status_code, answer.headers["location"]) == (201, location)
    if "%2F" not in location or target == "/v1/folios":
        assert http.get(location).status_code == 200
        assert archive.calls[-1] == ("GetFolio", {"name": name})


# Rule 20: `If-Match: *` is false where there is nothing, which an upsert cannot be told.
def test_any_match_is_no_upsert(archive, http):
    for target, status in (("folios/a?allowMissing=true", 400), ("folios/a?allowMissing=false", 200),
                           ("folios/a", 200), ("quoted/a?allow_missing=true", 400)):
        answer = http.patch(f"/v1/{target}", json={}, headers={"If-Match": "*"})
        assert answer.status_code == status, target
        if status == 400:
            assert refusal(answer).startswith("If-Match: must not be * where allow_missing")
    assert len(archive.calls) == 2
    for headers in ({"If-Match": '"e"'}, {}):
        answer = http.patch("/v1/folios/a?allowMissing=true", json={}, headers=headers)
        assert answer.status_code == 200
    for said, status in ((True, 400), (False, 200), (None, 200)):
        answer = http.post("/v1/folios/a:stamp", json={"allowMissing": said}, headers={"If-Match": "*"})
        assert answer.status_code == status


# Rule 9: what is to be answered (AIP-157) is not what is to be changed.
def test_a_read_mask_is_no_update_mask(archive, http):
    for query, mask in (("", {}), ("?readMask=seal,title", {"readMask": "seal,title"})):
        assert http.patch(f"/v1/shown/a{query}", json={"title": "t"}).status_code == 200
        assert archive.calls.pop()[1] == {"folio": {"name": "a", "title": "t"}, **mask}


# Rules 7 and 13: what JSON says whole has no parts that the path could lay over it.
def test_parts_of_what_is_given_whole(archive, http):
    for target, name, value, whole in (("times/7", "time", "1970-01-01T00:00:07Z", "1970-01-01T00:00:08Z"),
                                       ("words/x", "word", "x", "y")):
        for body in ({}, {name: None}, {"name": "n"}):
            assert http.post(f"/v1/{target}:stamp", json=body).status_code == 200
            assert archive.calls.pop()[1] == {name: value, **{k: v for k, v in body.items() if v}}
        part = {"time": "time.seconds", "word": "word.value"}[name]
        for said in (value, whole, "nonsense" if name == "time" else ""):
            answer = http.post(f"/v1/{target}:stamp", json={name: said})
            assert refusal(answer) == f"{name}: is given whole, and a part of it by {part}"
    assert archive.calls == []
