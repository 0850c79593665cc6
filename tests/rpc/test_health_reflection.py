"""grpc.health.v1 and server reflection, asked by python3-grpcio with the public protos' stubs."""
import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc.health.v1 import health_pb2, health_pb2_grpc
from grpc.reflection.v1 import reflection_pb2, reflection_pb2_grpc
from grpc.reflection.v1alpha import reflection_pb2 as alpha_pb2
from grpc.reflection.v1alpha import reflection_pb2_grpc as alpha_pb2_grpc
from omnidata.user.v1 import user_pb2, user_pb2_grpc

DEADLINE_S = 60
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
USERS = "omnidata.user.v1.UserService"
HTTP_EXTENSION = 72295728


@pytest.fixture(scope="module")
def peer(module_start):
    return module_start("rpc_peer")


@pytest.fixture(scope="module")
def channel(peer):
    with grpc.insecure_channel(peer.address) as opened:
        yield opened


@pytest.fixture
def health(channel):
    return health_pb2_grpc.HealthStub(channel)


# --- health ---


def set_serving(channel, serving):
    user_pb2_grpc.UserServiceStub(channel).GetUser(
        user_pb2.GetUserRequest(id=f"serving:{'yes' if serving else 'no'}"), timeout=DEADLINE_S)


def check(health, service):
    return health.Check(health_pb2.HealthCheckRequest(service=service), timeout=DEADLINE_S).status


def test_check(channel, health):
    assert check(health, "") == SERVING
    assert check(health, USERS) == SERVING
    set_serving(channel, False)
    assert check(health, USERS) == NOT_SERVING
    assert check(health, "") == SERVING
    set_serving(channel, True)


def test_check_of_an_unknown_service(health):
    with pytest.raises(grpc.RpcError) as caught:
        check(health, "no.Such")
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_watch(channel, health):
    watch = health.Watch(health_pb2.HealthCheckRequest(service=USERS), timeout=DEADLINE_S)
    unknown = health.Watch(health_pb2.HealthCheckRequest(service="no.Such"), timeout=DEADLINE_S)
    assert next(watch).status == SERVING
    assert next(unknown).status == SERVICE_UNKNOWN
    set_serving(channel, False)
    assert next(watch).status == NOT_SERVING
    set_serving(channel, True)
    assert next(watch).status == SERVING
    watch.cancel()
    unknown.cancel()


def test_watchers_are_told_of_the_end(start):
    running = start("rpc_peer")
    with grpc.insecure_channel(running.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(), timeout=DEADLINE_S)
        assert next(watch).status == SERVING
        running.stop()
        assert next(watch).status == NOT_SERVING
        with pytest.raises(grpc.RpcError) as caught:
            next(watch)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert running.events("stopped")[0]["clean"] is True


# --- reflection ---


@pytest.fixture(params=["v1", "v1alpha"])
def ask(request, channel):
    """ask(field=value, ...) -> the one response; both versions must answer alike."""
    messages, stubs = {"v1": (reflection_pb2, reflection_pb2_grpc),
                       "v1alpha": (alpha_pb2, alpha_pb2_grpc)}[request.param]
    stub = stubs.ServerReflectionStub(channel)

    def one(**fields):
        if "file_containing_extension" in fields:
            fields["file_containing_extension"] = messages.ExtensionRequest(
                **fields["file_containing_extension"])
        question = messages.ServerReflectionRequest(host="here", **fields)
        answers = list(stub.ServerReflectionInfo(iter([question]), timeout=DEADLINE_S))
        assert len(answers) == 1
        assert answers[0].valid_host == "here"
        assert answers[0].original_request == question
        return answers[0]

    return one


def files(answer):
    assert answer.WhichOneof("message_response") == "file_descriptor_response", answer
    return [descriptor_pb2.FileDescriptorProto.FromString(raw)
            for raw in answer.file_descriptor_response.file_descriptor_proto]


def test_list_services(ask):
    assert [s.name for s in ask(list_services="").list_services_response.service] == [
        USERS, "test.v1.Streams", "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]


@pytest.mark.parametrize("symbol, name", [
    (USERS, "omnidata/user/v1/user.proto"),
    (f"{USERS}.GetUser", "omnidata/user/v1/user.proto"),
    ("omnidata.user.v1.User", "omnidata/user/v1/user.proto"),
    ("omnidata.user.v1.User.email", "omnidata/user/v1/user.proto"),
    ("omnidata.user.v1.User.LabelsEntry", "omnidata/user/v1/user.proto"),
    ("omnidata.user.v1.UserStatus", "omnidata/user/v1/user.proto"),
    ("omnidata.user.v1.USER_STATUS_ACTIVE", "omnidata/user/v1/user.proto"),
    ("google.rpc.BadRequest.FieldViolation", "google/rpc/error_details.proto"),
    ("google.api.http", "google/api/annotations.proto"),
    ("grpc.health.v1.Health", "grpc/health/v1/health.proto"),
    ("grpc.reflection.v1.ServerReflection", "grpc/reflection/v1/reflection.proto"),
])
def test_file_containing_symbol(ask, symbol, name):
    assert files(ask(file_containing_symbol=symbol))[0].name == name


def test_a_file_comes_with_all_it_imports(ask):
    found = files(ask(file_by_filename="omnidata/user/v1/user.proto"))
    names = [file.name for file in found]
    assert names[0] == "omnidata/user/v1/user.proto"
    assert len(names) == len(set(names))
    for file in found:
        assert set(file.dependency) <= set(names)
    pool = descriptor_pool.DescriptorPool()
    waiting = found
    while waiting:  # imports first
        ready = [f for f in waiting if not set(f.dependency) & {w.name for w in waiting}]
        for file in ready:
            pool.Add(file)
        waiting = [f for f in waiting if f not in ready]
    service = pool.FindServiceByName(USERS)
    assert service.methods_by_name["GetUser"].output_type.full_name == "omnidata.user.v1.User"


def test_extensions(ask):
    options = "google.protobuf.MethodOptions"
    numbers = ask(all_extension_numbers_of_type=options).all_extension_numbers_response
    assert numbers.base_type_name == options
    assert HTTP_EXTENSION in numbers.extension_number
    found = files(ask(file_containing_extension={
        "containing_type": options, "extension_number": HTTP_EXTENSION}))
    assert found[0].name == "google/api/annotations.proto"
    none = ask(all_extension_numbers_of_type="omnidata.user.v1.User")
    assert list(none.all_extension_numbers_response.extension_number) == []


@pytest.mark.parametrize("question, code", [
    ({"file_by_filename": "no/such.proto"}, grpc.StatusCode.NOT_FOUND),
    ({"file_containing_symbol": "no.Such"}, grpc.StatusCode.NOT_FOUND),
    ({"file_containing_symbol": ""}, grpc.StatusCode.NOT_FOUND),
    ({"file_containing_extension": {"containing_type": "no.Such", "extension_number": 1}},
     grpc.StatusCode.NOT_FOUND),
    ({"all_extension_numbers_of_type": "no.Such"}, grpc.StatusCode.NOT_FOUND),
    ({}, grpc.StatusCode.INVALID_ARGUMENT),
])
def test_errors_come_in_the_stream(ask, question, code):
    error = ask(**question).error_response
    assert error.error_code == code.value[0]
    assert error.error_message


def test_many_questions_in_one_stream(channel):
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    questions = [reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
                 for symbol in (USERS, "no.Such", USERS) * 100]
    answers = list(stub.ServerReflectionInfo(iter(questions), timeout=DEADLINE_S))
    kinds = [answer.WhichOneof("message_response") for answer in answers]
    assert kinds == ["file_descriptor_response", "error_response",
                     "file_descriptor_response"] * 100
