"""A gRPC server that is not ours, in Python, made of a .proto file."""
import subprocess
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from support.programs import ROOT


class Foreign(grpc.GenericRpcHandler):
    """Answers with `answer[method]`, a dict or a list of dicts; remembers what it was asked."""

    def __init__(self, proto, directory, service):
        self.descriptors = directory / "set.binpb"
        subprocess.run(["protoc", f"-I{ROOT}/proto", f"-I{ROOT}/tests/gateway", "--include_imports",
                        f"--descriptor_set_out={self.descriptors}", proto], check=True)
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(self.descriptors.read_bytes()).file:
            pool.Add(file)
        self._service = pool.FindServiceByName(service)
        self._prototype = message_factory.MessageFactory(pool).GetPrototype
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self.reset()

    def reset(self):
        self.calls, self.answer, self.times = [], {}, []

    def stop(self):
        self._server.stop(0).wait()

    @property
    def settings(self):
        """The command line of a gateway in front of it."""
        return ["--listen=127.0.0.1:0", "--access=open", f"--descriptor-set={self.descriptors}",
                f"--upstreams={self._service.full_name}=127.0.0.1:{self.port}"]

    def service(self, details):
        service, _, name = details.method.strip("/").partition("/")
        method = self._service.methods_by_name.get(name)
        if service != self._service.full_name or not method:
            return None
        request = self._prototype(method.input_type)
        response = self._prototype(method.output_type)

        def made(content):
            return json_format.ParseDict(content, response())

        def answer(message, context):
            self.calls.append((name, json_format.MessageToDict(message)))
            self.times.append(context.time_remaining())
            content = self.answer.get(name, {})
            return content(context) if callable(content) else content

        coding = {"request_deserializer": request.FromString,
                  "response_serializer": lambda message: message.SerializeToString()}
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(
                lambda m, c: map(made, answer(m, c)), **coding)
        return grpc.unary_unary_rpc_method_handler(lambda m, c: made(answer(m, c)), **coding)
