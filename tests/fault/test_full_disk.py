"""A full disk: writes are refused with a clear error, and work again when there is room."""
import subprocess

import pytest

from support.pipeline import archived_rows, assert_each_once, reconcile, wait_archived
from support.programs import wait_until


@pytest.fixture
def small_disk(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "omni-test", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def create(stack, number):
    return stack.http.post("/v1/users", json={
        "email": f"disk{number}@example.org", "displayName": f"Disk {number}",
        "labels": {f"k{i}": "x" * 200 for i in range(10)}})


def fill_until_refused(stack, most):
    made = []
    for number in range(most):
        answer = create(stack, number)
        if answer.status_code != 201:
            return made, answer
        made.append(answer.json()["id"])
    raise AssertionError(f"{most} users fit")


def assert_says_full(answer):
    error = answer.json()["error"]
    assert error["status"] == "RESOURCE_EXHAUSTED", answer.text
    assert any(d.get("reason") == "DISK_FULL" for d in error["details"]), answer.text


@pytest.mark.root
def test_user_service_on_a_full_disk(new_stack, small_disk):
    stack = new_stack()
    stack.user_dir = small_disk / "user"
    stack.start()
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (18 << 20))
    made, refused = fill_until_refused(stack, 20000)
    assert_says_full(refused)
    assert stack.http.get(f"/v1/users/{made[0]}").status_code == 200
    ballast.unlink()
    again = wait_until(lambda: ok_or_none(create(stack, "again")), 20, "there is room again")
    stack.user.stop()
    stack.start_user()
    for user in (made[0], made[-1], again):
        # The gateway connects again when it does; /readyz may still be of before the restart.
        wait_until(lambda: stack.http.get(f"/v1/users/{user}").status_code != 503, 20, "reachable")
        assert stack.http.get(f"/v1/users/{user}").status_code == 200


@pytest.mark.root
def test_archive_on_a_full_disk(new_stack, small_disk):
    """The events wait where they are durable, and are archived once when there is room."""
    stack = new_stack()
    stack.analytics_dir = small_disk / "analytics"
    stack.start()
    first = create(stack, 0).json()["id"]
    wait_archived(stack, [first])
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    made = [create(stack, n).json()["id"] for n in range(1, 60)]
    ballast.unlink()
    wait_archived(stack, [first, *made], timeout_s=120)
    reconcile(stack)
    assert_each_once(archived_rows(stack))


def ok_or_none(answer):
    return answer.json()["id"] if answer.status_code == 201 else None
