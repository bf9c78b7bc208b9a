"""Export dates that need a run."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date

import duckdb

from pipeline.exports.discovery import Discovered, KnownFiles, former_layouts, is_known
from pipeline.ledger import Ledger
from pipeline.segment.unfinished_dates import unfinished
from pipeline.warehouse import Warehouse, one_value
from pipeline.warehouse.loads import Load


def dates_with_new_files(known: KnownFiles, discovered: Discovered) -> Mapping[date, list[str]]:
    """Export dates with files that are new, changed, or of changed layouts, and a fingerprint of each such file for
    each of the layouts that have to load it.
    """
    new: dict[date, list[str]] = defaultdict(list)
    for matched in discovered.matched:
        if not is_known(matched, known):
            file = matched.file
            fingerprint = f"{file.name} {file.size} {file.modified_at} {matched.layout.fingerprint}"
            # Without it, a file that loses a layout would be requested as it was before it got that.
            former = sorted(map(str, former_layouts(matched, known)))
            new[matched.export_date].append(" ".join([fingerprint, *former]))
    return new


def gone_files(warehouse: Warehouse, discovered: Discovered) -> list[str]:
    """Loaded files that are no longer at the location, oldest date first; their rows stay."""
    with warehouse.reading_if_any() as connection:
        if connection is None:
            return []
        loaded = connection.execute(
            "SELECT DISTINCT export_date, name FROM raw.export_files WHERE status = 'loaded' ORDER BY ALL"
        ).fetchall()
    there = discovered.names
    return [name for _, name in loaded if name not in there]


def unfinished_loads(warehouse: Warehouse, ledger: Ledger) -> Mapping[date, Load]:
    """Export dates whose newest file has not reached the report, with its load; none if there is no warehouse yet."""
    with warehouse.reading_if_any() as connection:
        return unfinished(connection, ledger) if connection is not None else {}


def newest_date(connection: duckdb.DuckDBPyConnection) -> set[date]:
    """The newest export date with a loaded file, if there is one."""
    newest = one_value(connection, "SELECT max(export_date) FROM raw.export_files WHERE status = 'loaded'")
    return {newest} if newest else set()
