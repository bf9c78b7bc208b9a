"""What stands in the event tables, as numbers that are equal when and only when the same events stand there."""

import json
import sys

from benchmarks.processes import Clone
from pipeline.catalog import EVENTS
from pipeline.settings import load_settings
from pipeline.warehouse import Warehouse


def of(clone: Clone) -> dict[str, list[int]]:
    """Rows of each table, and a sum over the hashes of what each says."""
    found: dict[str, list[int]] = clone.python("benchmarks.contents").answer
    return found


def main() -> None:
    """Print them, in the copy."""
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
