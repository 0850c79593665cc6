"""The tables of docs/athena.sql, read by DuckDB over files in place of Athena over S3."""
import json
import re
import subprocess
from typing import NamedTuple

from counterparts import python

TYPES = {"string": "VARCHAR", "int": "INTEGER", "bigint": "BIGINT", "boolean": "BOOLEAN"}

READER = """
import duckdb, json, sys
files, columns, out = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
chosen = [f'"{key}" AS "{name}"' for name, _, key in columns]
chosen += [f"regexp_extract(filename, '/{name}=([^/]+)/', 1) AS \\"{name}\\"" for name in ("dt", "hour")]
rows = duckdb.sql(f"SELECT {', '.join(chosen)} FROM read_json($files, format='newline_delimited', "
                  "compression='zstd', hive_partitioning=false, filename=true, columns={" +
                  ", ".join(f"'{key}': '{kind}'" for _, kind, key in columns) + "})",
                  params={"files": files})
json.dump([dict(zip(rows.columns, row)) for row in rows.fetchall()], open(out, "w"))
"""


class Table(NamedTuple):
    columns: list  # (name, Athena's type, the key in the objects)
    location: str  # below the archive's prefix
    properties: dict


def tables(sql):
    found = {}
    for statement in sql.split(";"):
        head = re.search(r"CREATE EXTERNAL TABLE (\w+)\.(\w+) \((.*?)\)\s*PARTITIONED BY", statement, re.S)
        if not head:
            continue
        keys = dict(re.findall(r"'mapping\.(\w+)' = '([^']*)'", statement))
        columns = [(name.strip("`"), kind, keys.get(name, name.strip("`"))) for name, kind in
                   re.findall(r"^\s*(`?\w+`?) (\w+)[,\n]", head.group(3) + "\n", re.M)]
        location = re.search(r"LOCATION 's3://\$\{BUCKET\}/\$\{PREFIX\}/([^']*)'", statement).group(1)
        properties = dict(re.findall(r"'([\w.]+)' = '([^']*)'", statement))
        found[head.group(2)] = Table(columns, location, properties)
    return found


def read(archive, table, scratch):
    """All rows, with the partition's columns."""
    assert table.properties["projection.enabled"] == "true"
    template = table.properties["storage.location.template"]
    assert template.endswith(table.location + "dt=${dt}/hour=${hour}/")
    columns = json.dumps([(name, TYPES[kind], key) for name, kind, key in table.columns])
    # The empty frames of tombstones are objects without rows, as Athena has it.
    files = f"{archive}/{table.location}dt=*/hour=*/*.ndjson.zst"
    out = scratch / "rows.json"
    subprocess.run([python(), "-c", READER, files, columns, out], check=True, timeout=120)
    return json.loads(out.read_text())
