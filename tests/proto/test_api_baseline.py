"""Each kind of breaking change of the contracts is refused, and additions are not."""
import shutil
import subprocess
import sys

import pytest

from support.programs import ROOT

USER = "omnidata/user/v1/user.proto"
ANALYTICS = "omnidata/analytics/v1/analytics.proto"

BREAKS = [
    # (what, file, text, replacement, words of the report)
    ("field removed", USER, "  string given_name = 4;", "", "User.given_name was removed"),
    ("field renumbered", USER, "string given_name = 4;", "string given_name = 44;",
     "User.given_name was changed"),
    ("field renamed", USER, "string given_name = 4;", "string first_name = 4;",
     "User.given_name was removed"),
    ("scalar type", USER, "string given_name = 4;", "bytes given_name = 4;",
     "User.given_name was changed"),
    ("message type", USER, "Owner owner = 11;", "google.rpc.Status owner = 11;",
     "User.owner was changed"),
    ("label", USER, "string given_name = 4;", "repeated string given_name = 4;",
     "User.given_name was changed"),
    ("JSON name", USER, "string given_name = 4;", 'string given_name = 4 [json_name = "given"];',
     "User.given_name was changed"),
    ("out of its oneof", USER, "  oneof result {", "  oneof outcome {", "UserResult.user was changed"),
    ("method removed", USER, "rpc ListUsers(", "rpc AllUsers(", "method omnidata.user.v1."
     "UserService.ListUsers was removed"),
    ("request type", USER, "rpc GetUser(GetUserRequest)", "rpc GetUser(DeleteUserRequest)",
     "UserService.GetUser was changed"),
    ("answer type", USER, "(UpdateUserRequest) returns (User)",
     "(UpdateUserRequest) returns (Owner)", "UserService.UpdateUser was changed"),
    ("streaming", ANALYTICS, "returns (stream TailEventsResponse)", "returns (TailEventsResponse)",
     "AnalyticsService.TailEvents was changed"),
    ("service removed", ANALYTICS, "service AnalyticsService", "service Analytics",
     "service omnidata.analytics.v1.AnalyticsService was removed"),
    ("HTTP path", USER, 'get: "/v1/users:search"', 'get: "/v1/users:find"',
     "http omnidata.user.v1.UserService.SearchUsers GET /v1/users:search"),
    ("HTTP method", USER, 'patch: "/v1/users/{user.id}"', 'put: "/v1/users/{user.id}"',
     "UserService.UpdateUser PATCH"),
    ("HTTP body", USER, 'post: "/v1/users" body: "user"', 'post: "/v1/users" body: "*"',
     "UserService.CreateUser POST /v1/users body=user"),
    ("success status", USER, "success_status: 201", "success_status: 202",
     "UserService.CreateUser was changed"),
    ("enum value removed", USER, "  USER_STATUS_INVITED = 2;", "",
     "UserStatus.USER_STATUS_INVITED was removed"),
    ("enum value renumbered", USER, "USER_STATUS_INVITED = 2", "USER_STATUS_INVITED = 7",
     "UserStatus.USER_STATUS_INVITED was changed"),
    ("enum removed", USER, "enum UserStatus {", "enum AccountStatus {",
     "enum omnidata.user.v1.UserStatus was removed"),
    ("message renamed", USER, "message Owner {", "message Creator {",
     "message omnidata.user.v1.Owner was removed"),
]
# What else in the file must follow so that protoc takes the change.
FOLLOW = {
    "enum removed": [("UserStatus status = 6", "AccountStatus status = 6")],
    "message renamed": [("Owner owner = 11", "Creator owner = 11")],
}


@pytest.fixture
def protos(tmp_path):
    return shutil.copytree(ROOT / "proto", tmp_path / "proto")


def edit(protos, file, text, replacement):
    path = protos / file
    before = path.read_text()
    assert before.count(text) == 1, f"{text!r} is {before.count(text)} times in {file}"
    path.write_text(before.replace(text, replacement))


def check(protos, *more):
    return subprocess.run(
        [sys.executable, ROOT / "scripts/check_api.py", "--proto", protos, "--baseline",
         protos / "baseline/api.txt", *more], capture_output=True, text=True, check=False)


def test_committed_protos_agree_with_the_baseline(protos):
    done = check(protos)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("what,file,text,replacement,words", BREAKS, ids=[b[0] for b in BREAKS])
def test_break_is_refused(protos, what, file, text, replacement, words):
    edit(protos, file, text, replacement)
    for old, new in FOLLOW.get(what, []):
        edit(protos, file, old, new)
    for more in ([], ["--update"]):
        done = check(protos, *more)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "breaking change of the API" in done.stdout and words in done.stdout


def test_addition_needs_the_baseline_and_nothing_else(protos):
    edit(protos, USER, "  string given_name = 4;",
         "  string given_name = 4;\n  // A nickname.\n  string nickname = 40;")
    done = check(protos)
    assert done.returncode == 1 and "make api-baseline" in done.stdout
    assert check(protos, "--update").returncode == 0
    assert check(protos).returncode == 0


def test_additional_binding_is_an_addition(protos):
    edit(protos, USER, '{get: "/v1/users:search"}',
         '{get: "/v1/users:search" additional_bindings: {get: "/v1/people"}}')
    assert check(protos, "--update").returncode == 0


@pytest.mark.parametrize("text,name", [
    ("// The user's id.\n  string id = 1;\n}\n\n// Which users", "GetUserRequest.id"),
    ("// Changes with every change of the user. On update, the etag the change is based on; "
     "empty: any.\n", "User.etag"),
    ("// May sign in.\n", "UserStatus.USER_STATUS_ACTIVE"),
    ("// One id's outcome.\n", "user.v1.UserResult"),
    ("  // The user, or why there is none.\n", "UserResult.result"),
])
def test_missing_comment_is_named(protos, text, name):
    edit(protos, USER, text, text.replace("// The user's id.\n", "", 1)
         if "\n\n" in text else "")
    done = check(protos)
    assert done.returncode == 1 and f"{name} has no comment" in done.stdout
