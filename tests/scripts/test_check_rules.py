"""scripts/check_rules.py finds the tests of each rule, and what is wrong with how they are named."""
import subprocess
import sys

import pytest

from support.programs import ROOT

RULES = "# Rules\n\n1. **One.** It is so.\n\n2. **Two.** So is it.\n"
C_TEST = "/* Rule 1: the whole of it,\n * at length. */\nstatic void first(void **state)\n{\n}\n"
PY_TEST = "# Rules 1 and 2.\n@pytest.mark.parametrize('x', [\n    1])\ndef test_second(x):\n    pass\n"


@pytest.fixture
def check(tmp_path):
    """check({path: text}, *arguments) -> (exit code, standard output, standard error)"""
    def run(files, *arguments):
        for name, text in {"docs/rules.md": RULES, **files}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        done = subprocess.run([sys.executable, ROOT / "scripts/check_rules.py", *arguments, tmp_path],
                              capture_output=True, text=True, check=False)
        return done.returncode, done.stdout, done.stderr

    return run


def test_tests_are_found(check):
    files = {"tests/unit/a/a_test.c": C_TEST, "tests/b/test_b.py": PY_TEST, "tests/c/run": "# Rule 2.\n"}
    assert check(files) == (0, "", "")
    assert check(files, "--list") == (
        0, "1.\n    tests/b/test_b.py::test_second\n    tests/unit/a/a_test.c::first\n"
           "2.\n    tests/b/test_b.py::test_second\n    tests/c/run\n", "")


@pytest.mark.parametrize("files, problem", [
    ({"tests/a.c": C_TEST}, "docs/rules.md: no test names rule 2"),
    ({"tests/a.c": "/* Rule 3. */\nstatic void x(void **state)\n"}, "tests/a.c:1: docs/rules.md has no rule 3"),
    ({"tests/a.c": "/* Rule 1. */\n\nstatic void x(void **state)\n"}, "tests/a.c:1: no test stands below"),
    ({"tests/a.py": "# Rule 1.\nclass A:\n    pass\n"}, "tests/a.py:1: no test stands below"),
    ({"docs/rules.md": RULES + "\n2. **Two again.**\n"}, "a number is there twice"),
])
def test_problems_are_told(check, files, problem):
    code, _, told = check({"tests/b/test_b.py": PY_TEST if "tests/a.c" not in files else "", **files})
    assert code == 1 and problem in told
