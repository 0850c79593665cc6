"""Each rule of scripts/check_source.py catches what it is there for, and lets its neighbour pass."""
import subprocess
import sys

import pytest

from support.programs import ROOT

OPENING = "/* What this is. */\n"


@pytest.fixture
def check(tmp_path):
    """check({path: text}) -> the problems found in a work tree of these files."""
    def run(files):
        for room in ("lib/base", "lib/db", "lib/rpc", "services/user", "services/analytics",
                     "gateway"):
            (tmp_path / room).mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        done = subprocess.run([sys.executable, ROOT / "scripts/check_source.py", tmp_path],
                              capture_output=True, text=True, check=False)
        assert done.returncode == (1 if done.stdout else 0), done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize("path,line,words", [
    ("lib/base/a.c", '#include "db/db.h"', "lib/base must not include lib/db"),
    ("lib/db/a.c", '#include "rpc/server.h"', "lib/db must not include lib/rpc"),
    ("lib/rpc/a.c", '#include "user/store.h"', "lib/rpc must not include services/user"),
    ("gateway/a.c", '#include "user/store.h"', "gateway must not include services/user"),
    ("services/user/a.c", '#include "analytics/x.h"', "must not include services/analytics"),
    ("gateway/a.c", "#include <grpc/grpc.h>", "<grpc/grpc.h> belongs to lib/rpc"),
    ("services/user/a.c", "#include <sqlite3.h>", "<sqlite3.h> belongs to lib/db"),
    ("services/user/a.c", "#include <protobuf-c/protobuf-c.h>", "belongs to lib/pb"),
    ("gateway/a.c", "#include <jansson.h>", "belongs to lib/json"),
    ("gateway/a.c", "#include <openssl/evp.h>", "belongs to lib/crypto"),
    ("gateway/a.c", "#include <zstd.h>", "belongs to services/analytics"),
    ("lib/base/a.c", "#include <pb_decode.h>", "belongs to lib/pb"),
    ("gateway/a.c", '#include "route.h"', "without its folder"),
    ("lib/new/a.c", "int x;", "is no room"),
    ("lib/base/a.c", "void f(char *a) { sprintf(a, \"x\"); }", "sprintf is banned"),
    ("tests/unit/base/a.c", "int f(char *a) { return atoi(a); }", "atoi is banned"),
    ("gateway/a.c", "void *f(void) { return malloc(3); }", "base/alloc.h"),
    ("gateway/a.c", "/* " + "TO" + "DO: more */", "unfinished"),
    ("README.md", "see /wo" + "rk/main/x", "machine's path"),
    ("package-lock.json", '"resol' + 'ved": "http' + 's://example.org/x.tgz"', "registry"),
])
def test_rule_catches(check, path, line, words):
    assert words in check({path: f"{OPENING}{line}\n"})


@pytest.mark.parametrize("path,line", [
    ("lib/rpc/a.c", "#include <grpc/grpc.h>"),
    ("lib/rpc/a.c", '#include "db/db.h"'),
    ("gateway/a.c", '#include "omnidata/user/v1/user.pb-c.h"'),
    ("gateway/a.c", '#include "rpc/client.h"'),
    ("lib/base/alloc.c", "void *f(void) { return malloc(3); }"),
    ("gateway/a.c", "int f(struct list *l) { return l->free(l); }"),
    ("gateway/a.c", 'const char *f(void) { return "sprintf(x)"; } // strcpy(a, b)'),
    ("gateway/a.c", "int f(char *a) { return snprintf(a, 3, \"x\"); }"),
])
def test_neighbour_passes(check, path, line):
    assert check({path: f"{OPENING}{line}\n"}) == ""


def function(lines):
    return "static void f(void)\n{\n" + "    ;\n" * (lines - 2) + "}\n"


def test_sizes(check):
    assert check({"gateway/a.c": OPENING + function(100)}) == ""
    assert "a function of 101 lines" in check({"gateway/a.c": OPENING + function(101)})
    assert check({"gateway/a.c": OPENING + "int x;\n" * 699}) == ""
    assert "701 lines; the most is 700" in check({"gateway/a.c": OPENING + "int x;\n" * 700})
    head = OPENING + "#pragma once\n"
    assert "151" not in check({"gateway/a.c": OPENING, "gateway/a.h": head + "int x;\n" * 148})
    assert "a header of 151 lines" in check({"gateway/a.h": head + "int x;\n" * 149})


def test_a_header_and_an_opening_comment(check):
    assert "no #pragma once" in check({"gateway/a.h": OPENING})
    assert "no opening comment" in check({"gateway/a.c": "int x;\n"})
