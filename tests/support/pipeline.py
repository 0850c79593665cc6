"""What became of the events: the archive read by an independent decoder, and the books compared."""
import collections
import io
import json

import zstandard

from support.programs import wait_until


def archived_rows(stack, kind="events"):
    """All rows under archive/KIND, with `_path` of the object they lie in."""
    rows = []
    for path in sorted((stack.analytics_dir / "archive").rglob("*.ndjson.zst")):
        relative = path.relative_to(stack.analytics_dir / "archive")
        if relative.parts[0] != kind:
            continue
        with path.open("rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            text = io.TextIOWrapper(reader, encoding="utf-8").read()
        # An object without rows (an empty frame) marks an intent that was given up.
        assert not text or text.endswith("\n"), f"{path} does not end in a newline"
        rows += [{**json.loads(line), "_path": relative} for line in text.splitlines()]
    return rows


def assert_each_once(rows):
    counts = collections.Counter(row["id"] for row in rows)
    twice = {key: count for key, count in counts.items() if count > 1}
    assert not twice, f"archived more than once: {dict(list(twice.items())[:5])}"


def assert_partitions(rows):
    """Each row lies in the folder of its own UTC hour."""
    for row in rows:
        day, hour = row["time"][:10], row["time"][11:13]
        assert f"dt={day}/hour={hour}" in str(row["_path"]), (row["time"], row["_path"])


def created_ids(rows):
    return {row["user_id"] for row in rows
            if row["kind"].endswith("USER_CREATED") and row["status"] == 0}


def wait_archived(stack, user_ids, timeout_s=60):
    """Until a creation of each of these users is archived; the rows."""
    wanted = set(user_ids)

    def all_there():
        rows = archived_rows(stack)
        return rows if wanted <= created_ids(rows) else None

    return wait_until(all_there, timeout_s, f"{len(wanted)} creations are archived", every_s=0.2)


def reconcile(stack, wait="60s"):
    done = stack.omnictl("reconcile", f"--wait={wait}", timeout_s=120)
    assert done.returncode == 0, f"reconcile exited with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout
