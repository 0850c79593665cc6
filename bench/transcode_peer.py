#!/usr/bin/env python3
"""The same user by protobuf's own Python runtime: nanoseconds a message, the best of several rounds.

usage: transcode_peer.py STUBS
"""
import sys
import time

sys.path.insert(0, sys.argv[1])

from google.protobuf import json_format  # noqa: E402
from omnidata.user.v1 import user_pb2  # noqa: E402

USER = ('{"id":"01935c5e-7b5a-7c3e-9f4e-2b7d3a1c5e8f","email":"jose.perez@example.org",'
        '"displayName":"José Pérez García","givenName":"José","familyName":"Pérez García",'
        '"status":"USER_STATUS_ACTIVE","createTime":"2026-11-22T18:45:12.123456Z",'
        '"updateTime":"2026-11-22T18:45:12.123456Z"}')
TIMES = 3000


def best(run):
    least = float("inf")
    for _ in range(5):
        begin = time.perf_counter_ns()
        for _ in range(TIMES):
            run()
        least = min(least, (time.perf_counter_ns() - begin) / TIMES)
    return least


wire = json_format.Parse(USER, user_pb2.User()).SerializeToString()
out = best(lambda: json_format.MessageToJson(user_pb2.User.FromString(wire), indent=None))
back = best(lambda: json_format.Parse(USER, user_pb2.User()).SerializeToString())
print(f"{'python protobuf':28} wire -> JSON {out:8.0f} ns, JSON -> wire {back:8.0f} ns")
