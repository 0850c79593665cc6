"""/openapi.json judged by others: a validator, and schemathesis, which makes requests out of it."""
import os
import re
import subprocess
from pathlib import Path

import httpx
import pytest

from support.programs import ROOT

# What holds for every answer, however odd the request: no 5xx, only what the document announces.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance," \
         "response_schema_conformance,response_headers_conformance"


def tool(name):
    found = Path(os.environ.get("OMNI_OPENAPI", ROOT / "build" / "openapi")) / "bin" / name
    assert found.is_file(), f"{found} is missing: make openapi installs it"
    return found


@pytest.fixture
def document(stack, tmp_path):
    path = tmp_path / "openapi.json"
    path.write_text(httpx.get(f"{stack.url}/openapi.json").text)
    return path


def test_it_is_valid(document):
    done = subprocess.run([tool("openapi-spec-validator"), document], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_requests_made_of_it_are_answered_as_it_says(stack, document, tmp_path):
    for i in range(20):
        stack.http.post("/v1/users", json={"email": f"u{i}@example.org", "displayName": f"User {i}"})
    headers = [argument for name, value in stack.headers.items()
               for argument in ("-H", f"{name}:{value}")]
    done = subprocess.run(
        [tool("schemathesis"), "run", document, "--url", stack.url, "--checks", CHECKS, *headers,
         "--max-examples", os.environ.get("OMNI_OPENAPI_EXAMPLES", "30"), "--seed", "20261126",
         "--mode", "all", "--continue-on-failure", "--phases", "examples,coverage,fuzzing",
         # A stream does not end.
         "--exclude-path", "/v1/analytics/events:tail"],
        capture_output=True, text=True, timeout=900, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-12000:] + done.stderr[-2000:]
    made = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert made and made.group(1) == made.group(2) and int(made.group(1)) > 500, done.stdout[-3000:]
    assert stack.http.get("/healthz").status_code == 200
