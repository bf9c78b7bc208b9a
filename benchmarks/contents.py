"""Fingerprints of the event tables, which are equal only if the events are the same."""

import json
import sys

from benchmarks.processes import Clone
from pipeline.catalog import EVENTS
from pipeline.settings import load_settings
from pipeline.warehouse import Warehouse


def of(clone: Clone) -> dict[str, list[int]]:
    """The number of rows of each table, and the sum of the rows' hashes."""
    found: dict[str, list[int]] = clone.python("benchmarks.contents").answer
    return found


def main() -> None:
    """Print the fingerprints, in the copy."""
    settings = load_settings()
    modelled = [*(event.table for event in EVENTS), "tracks"]
    queries = {
        "raw.events": "SELECT * EXCLUDE (loaded_at, rejected_because) FROM raw.events",
        "raw.rejected_rows": "SELECT file, line FROM raw.rejected_rows",
        **{t: f"SELECT * EXCLUDE (received_at, uuid_ts) FROM {settings.schema_name}.{t}" for t in modelled},
    }
    with Warehouse.of(settings).reading() as connection:
        counted = {
            table: connection.execute(
                f"SELECT count(*), CAST(bit_xor(hash(content)) AS VARCHAR) FROM ({query}) AS content"
            ).fetchone()
            for table, query in queries.items()
        }
    json.dump(counted, sys.stdout)


if __name__ == "__main__":
    main()
