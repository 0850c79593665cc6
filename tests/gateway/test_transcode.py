"""The transcoder against Google's own JSON mapping (python's json_format) on random messages."""
import json
import math
import subprocess

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.internal import well_known_types  # noqa: F401  (registers their methods)
from hypothesis import HealthCheck, given, settings, strategies as st

PACKAGE = "omnidata.test.nasty"


@pytest.fixture(scope="module")
def types(gen):
    files = descriptor_pb2.FileDescriptorSet.FromString((gen / "nasty.binpb").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)

    def get(name):
        return factory.GetPrototype(pool.FindMessageTypeByName(name))

    get.pool = pool
    return get


@pytest.fixture(scope="module")
def peer(out):
    process = subprocess.Popen([out / "tests/gateway/programs/transcode_peer"], text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(verb, name, content):
        process.stdin.write(f"{verb} {name} {content.hex()}\n")
        process.stdin.flush()
        word, _, rest = process.stdout.readline().rstrip("\n").partition(" ")
        if word == "error":
            raise ValueError(rest)
        assert word == "ok", "the peer died"
        return bytes.fromhex(rest)

    yield ask
    process.stdin.close()
    assert process.wait(60) == 0


def floats(width):
    """JSON has one NaN; and json_format refuses the largest float in its shortest form."""
    largest = 3.4028234663852886e38
    return st.floats(width=width).map(
        lambda x: math.nan if x != x else 1.0 if abs(x) == largest else x)


SCALARS = {
    1: floats(64), 2: floats(32), 3: st.integers(-2**63, 2**63 - 1),
    4: st.integers(0, 2**64 - 1), 5: st.integers(-2**31, 2**31 - 1), 6: st.integers(0, 2**64 - 1),
    7: st.integers(0, 2**32 - 1), 8: st.booleans(), 9: st.text(max_size=20),
    12: st.binary(max_size=20), 13: st.integers(0, 2**32 - 1), 15: st.integers(-2**31, 2**31 - 1),
    16: st.integers(-2**63, 2**63 - 1), 17: st.integers(-2**31, 2**31 - 1),
    18: st.integers(-2**63, 2**63 - 1)}


def scalar(draw, field):
    if field.enum_type:
        numbers = [v.number for v in field.enum_type.values]
        if field.enum_type.name == "NullValue":
            return 0
        return draw(st.one_of(st.sampled_from(numbers), st.integers(-2**31, 2**31 - 1)))
    return draw(SCALARS[field.type])


def fill(draw, message, depth):
    """Random content for any message, well-known ones within what they can say."""
    name = message.DESCRIPTOR.full_name
    if name == "google.protobuf.Timestamp":
        message.seconds = draw(st.integers(-62135596800, 253402300799))
        message.nanos = draw(st.sampled_from([0, 1, 1000, 500_000_000, 999_999_999]))
    elif name == "google.protobuf.Duration":
        sign = draw(st.sampled_from([1, -1]))
        message.seconds = sign * draw(st.integers(0, 315576000000 - 1))
        message.nanos = sign * draw(st.sampled_from([0, 1, 10_000, 20_000_000, 999_999_999]))
    elif name == "google.protobuf.FieldMask":
        message.paths.extend(draw(st.lists(st.sampled_from(["a", "a_b.c_d", "foo_bar", "x.y.z"]))))
    elif name == "google.protobuf.Any":
        pass
    elif name == "google.protobuf.Value":
        fill_value(draw, message, depth)
    elif name == "google.protobuf.Struct":
        for key in draw(st.lists(st.text(max_size=5), max_size=3)):
            fill_value(draw, message.fields[key], depth - 1)
    elif name == "google.protobuf.ListValue":
        for _ in range(draw(st.integers(0, 3))):
            fill_value(draw, message.values.add(), depth - 1)
    else:
        fill_fields(draw, message, depth)
    return message


def fill_value(draw, value, depth):
    kind = draw(st.sampled_from("nfsb" + "ol" * (depth > 0)))
    if kind == "n":
        value.null_value = 0
    elif kind == "f":
        value.number_value = draw(st.floats(allow_nan=False, allow_infinity=False))
    elif kind == "s":
        value.string_value = draw(st.text(max_size=10))
    elif kind == "b":
        value.bool_value = draw(st.booleans())
    elif kind == "o":
        value.struct_value.SetInParent()
        fill(draw, value.struct_value, depth - 1)
    else:
        value.list_value.SetInParent()
        fill(draw, value.list_value, depth - 1)


def fill_fields(draw, message, depth):
    fields = list(message.DESCRIPTOR.fields)
    for field in fields if len(fields) < 4 else draw(st.lists(st.sampled_from(fields), max_size=6)):
        is_map = field.message_type and field.message_type.GetOptions().map_entry
        if field.message_type and depth <= 0:
            continue
        if is_map:
            key, value = field.message_type.fields_by_name["key"], field.message_type.fields_by_name["value"]
            target = getattr(message, field.name)
            for _ in range(draw(st.integers(0, 3))):
                k = scalar(draw, key)
                if value.message_type:
                    fill(draw, target[k], depth - 1)
                else:
                    target[k] = scalar(draw, value)
        elif field.label == 3:
            target = getattr(message, field.name)
            for _ in range(draw(st.integers(0, 3))):
                if field.message_type:
                    fill(draw, target.add(), depth - 1)
                else:
                    target.append(scalar(draw, field))
        elif field.message_type:
            getattr(message, field.name).SetInParent()
            fill(draw, getattr(message, field.name), depth - 1)
        else:
            setattr(message, field.name, scalar(draw, field))


def same(a, b):
    """JSON values, numbers by value (-0 and 0 apart are one: json_format drops the sign)."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)) and bool in (type(a), type(b)):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        # json_format shows a float with the digits of "%.8g"; both mean the same 32 bits.
        return a == b or math.isclose(a, b, rel_tol=1e-6)
    return a == b


NAMES = [f"{PACKAGE}.{name}" for name in ("Scalars", "Optionals", "Lists", "Maps", "Oneofs", "Known",
                                          "Tree", "All")]


def without_negative_zero(message):
    """-0 in a field without presence: json_format leaves it out, and the mapping says to show it."""
    text = json_format.MessageToJson(message)
    return "-0.0" not in text and "-0.0" not in str(message) and ": -0\n" not in str(message)


# Rules 11, 12 and 13.
@pytest.mark.parametrize("name", NAMES)
def test_random_messages(types, peer, name):
    @settings(max_examples=80, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data):
        message = fill(data.draw, types(name)(), 3)
        wire = message.SerializeToString()
        ours = peer("out", name, wire)
        theirs = json_format.MessageToDict(message, descriptor_pool=types.pool)
        if without_negative_zero(message):
            assert same(json.loads(ours), theirs), (ours, theirs)
        # Our JSON read by them, their JSON read by us, and ours by us: the same message.
        back = json_format.Parse(ours, types(name)(), descriptor_pool=types.pool)
        assert back.SerializeToString(deterministic=True) == \
            message.SerializeToString(deterministic=True)
        ours_again = types(name).FromString(peer("in", name, ours))
        assert ours_again.SerializeToString(deterministic=True) == \
            message.SerializeToString(deterministic=True)
        from_theirs = types(name).FromString(peer("in", name, json.dumps(theirs).encode()))
        assert same(json_format.MessageToDict(from_theirs), theirs)

    check()


# Rule 14.
@pytest.mark.parametrize("name", NAMES)
def test_wire_in_any_order(types, peer, name):
    """Records shuffled, repeated and split: what their parser makes of them, ours shows."""
    @settings(max_examples=50, deadline=None, database=None,
              suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data):
        pieces = [fill(data.draw, types(name)(), 2).SerializeToString() for _ in range(3)]
        wire = b"".join(pieces) + data.draw(st.sampled_from([b"", b"\xf8\x7f\x01", b"\xfa\x7f\x02ab"]))
        message = types(name).FromString(wire)
        # Two kinds of the same Any or a time made of two halves may not be sayable; both then refuse.
        try:
            theirs = json_format.MessageToDict(message, descriptor_pool=types.pool)
        except Exception:
            with pytest.raises(ValueError):
                peer("out", name, wire)
            return
        ours = json.loads(peer("out", name, wire))
        if without_negative_zero(message):
            assert same(ours, theirs), (ours, theirs)

    check()


# Rule 13.
def test_any(types, peer):
    cases = [
        {"any": {}},
        {"any": {"@type": f"type.googleapis.com/{PACKAGE}.Tree", "name": "a", "left": {"name": "b"}}},
        {"any": {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1.500s"}},
        {"any": {"@type": "type.googleapis.com/google.protobuf.Value", "value": None}},
        {"any": {"@type": "type.googleapis.com/google.protobuf.Any", "value": {
            "@type": "type.googleapis.com/google.protobuf.Int64Value", "value": "7"}}},
        {"any": {"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"a": [1.0, {}]}}},
    ]
    for case in cases:
        name = f"{PACKAGE}.Known"
        wire = peer("in", name, json.dumps(case).encode())
        assert json.loads(peer("out", name, wire)) == case
        message = types(name).FromString(wire)
        assert same(json_format.MessageToDict(message, descriptor_pool=types.pool), case)


def strict_json(text):
    """python's json without its liberties."""
    def no_constants(name):
        raise ValueError(name)

    def no_duplicates(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("duplicate key")
        return dict(pairs)

    value = json.loads(text, parse_constant=no_constants, object_pairs_hook=no_duplicates)
    json.dumps(value, ensure_ascii=False).encode()  # lone surrogates
    return value


def finite(value):
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, (int, float)) or abs(value) < 1e308


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text()
                    | st.floats(allow_nan=False, allow_infinity=False),
                    lambda inner: st.lists(inner, max_size=4)
                    | st.dictionaries(st.text(max_size=4), inner, max_size=4), max_leaves=12)


# Rules 11, 12 and 13.
@settings(max_examples=600, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_reader_agrees_with_python(peer, data):
    """Valid texts, and the same with a byte changed, put in or taken out."""
    text = bytearray(json.dumps(data.draw(JSON), ensure_ascii=data.draw(st.booleans()),
                                indent=data.draw(st.sampled_from([None, 1]))).encode())
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(text)))
        text[at:at + data.draw(st.integers(0, 1))] = data.draw(
            st.sampled_from([b"", b"0", b"-", b".", b"e5", b",", b"}", b"[", b'"', b"\\", b"\xff",
                             b"\x00", b" ", b"\\ud800", b"null", b":", b"\xc3\xa9", b"\n"]))
    try:
        theirs = strict_json(bytes(text).decode("utf-8"))
    except (ValueError, UnicodeError):
        with pytest.raises(ValueError):
            peer("in", "google.protobuf.Value", bytes(text))
        return
    if finite(theirs):
        wire = peer("in", "google.protobuf.Value", bytes(text))
        assert same(json.loads(peer("out", "google.protobuf.Value", wire)), theirs)
