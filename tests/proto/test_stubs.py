"""The contracts generate Python stubs that import."""


def test_stubs_import(gen):
    from omnidata.analytics.v1 import analytics_pb2_grpc
    from google.rpc import error_details_pb2, status_pb2
    from grpc.health.v1 import health_pb2_grpc
    from grpc.reflection.v1alpha import reflection_pb2_grpc
    from omnidata.user.v1 import user_pb2, user_pb2_grpc
    assert user_pb2.DESCRIPTOR.services_by_name["UserService"].methods_by_name["SearchUsers"]
    assert user_pb2_grpc.UserServiceStub and analytics_pb2_grpc.AnalyticsServiceStub
    assert status_pb2.Status and error_details_pb2.ErrorInfo
    assert health_pb2_grpc.HealthStub and reflection_pb2_grpc.ServerReflectionStub
