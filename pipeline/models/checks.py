"""Checks of the staged events that warn, in a step of their own after the models."""

from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import duckdb

from pipeline.catalog import NAMES
from pipeline.export_dates import ExportDates
from pipeline.finding import Finding, counted
from pipeline.naming import snake_case_sql
from pipeline.orchestration.asset_checks import Check, results
from pipeline.orchestration.asset_keys import STAGED_EVENTS
from pipeline.orchestration.partitions import WAREHOUSE_READERS, dates_of_run
from pipeline.orchestration.resources import WarehouseResource
from pipeline.warehouse import one_column, one_row

# How far back the delivery of an email is searched for.
DELIVERY_LOOK_BACK = timedelta(days=30)
# An open can be recorded a moment before the delivery that it follows.
DELIVERY_TOLERANCE = timedelta(minutes=1)


def ids_without_name(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Ids without a name, by kind. A kind that has no names at all is counted, but does not fail the check."""
    columns = ", ".join(
        f"count(DISTINCT {key}) FILTER ({name} IS NULL), count({key}) FILTER ({name} IS NULL), count({name})"
        for key, name in NAMES.values()
    )
    query = f"SELECT {columns} FROM staging.events WHERE export_date BETWEEN ? AND ?"
    counts = one_row(connection, query, [dates.first, dates.last])
    with_lookup = set(one_column(connection, "SELECT DISTINCT kind FROM raw.lookups"))
    numbers: dict[str, int] = {}
    faults = []
    for index, (kind, (_, name)) in enumerate(NAMES.items()):
        ids, events, named = counts[3 * index : 3 * index + 3]
        numbers |= {f"{kind}_without_name": ids, f"events_without_{name}": events}
        if ids and (named or kind in with_lookup):
            faults.append(f"{counted(ids, kind.removesuffix('s'))} without {name} ({counted(events, 'event')})")
    if not faults:
        return Finding(True, "Every id of a kind that has names has its name.", numbers)
    return Finding(
        False,
        f"{', '.join(faults)}. Have a newer lookup exported: its names are added to the tables, but not "
        "to events that were delivered before.",
        numbers,
    )


_BEFORE_SEND = """
    WITH reactions AS MATERIALIZED (
        SELECT coalesce(user_id, lower(email)) AS person, email_id, timestamp FROM staging.events
        WHERE export_date BETWEEN $1 AND $2 AND event_text IN ('Email Opened', 'Email Link Clicked')
            AND email_id IS NOT NULL
    ),
    span AS (SELECT min(timestamp) AS first, max(timestamp) AS last FROM reactions),
    sendings AS (
        SELECT coalesce(user_id, lower(email)) AS person, email_id, min(timestamp) AS first
        FROM staging.events, span
        WHERE event_text = 'Email Delivered'
            AND timestamp BETWEEN span.first - to_seconds($3) AND span.last + to_seconds($3)
        GROUP BY ALL
    )
    SELECT count(*), max(sendings.first - reactions.timestamp)
    FROM reactions JOIN sendings USING (person, email_id)
    WHERE reactions.timestamp < sendings.first - to_seconds($4)
"""


def reactions_before_delivery(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Opens and clicks earlier than the first delivery of their email to the person, if one is known within 30 days."""
    seconds = [DELIVERY_LOOK_BACK.total_seconds(), DELIVERY_TOLERANCE.total_seconds()]
    events, ahead = one_row(connection, _BEFORE_SEND, [dates.first, dates.last, *seconds])
    numbers = {"events": events}
    if not events:
        return Finding(True, "No open or click is earlier than the delivery of its email.", numbers)
    words = "1 open or click is" if events == 1 else f"{events:,} opens or clicks are"
    return Finding(
        False,
        f"{words} earlier than the delivery of its email, by up to {_duration(ahead)}. "
        "Check that the layouts of the two exports have the timezones of the exports.",
        numbers,
    )


def _duration(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours:.1f} hours" if hours >= 1 else f"{span.total_seconds() / 60:.0f} minutes"


_BOTS = f"""
    SELECT {snake_case_sql("event_text")} AS event, count(*) FILTER (is_bot), count(*) FILTER (is_bot IS NULL),
        count(*)
    FROM staging.events WHERE export_date BETWEEN ? AND ? GROUP BY ALL ORDER BY ALL
"""


def bots(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Events that the export marks as caused by a machine. They are kept, so the check never fails."""
    found = connection.execute(_BOTS, [dates.first, dates.last]).fetchall()
    by_bots, unknown, events = (sum(row[column] for row in found) for column in (1, 2, 3))
    numbers = {"bots": by_bots, "unknown": unknown, "people": events - by_bots - unknown}
    numbers |= {f"bots/{event}": number for event, number, _, _ in found if number}
    if not by_bots:
        return Finding(True, "No event is marked as caused by a machine.", numbers)
    return Finding(
        True,
        f"{by_bots:,} of {counted(events, 'event')} are marked as caused by a machine. They are kept; SEGMENT_BOTS "
        "decides whether they are delivered. Queries exclude them with context_selligent_is_bot IS NOT TRUE.",
        numbers,
    )


CHECKS = {
    Check(
        "every_id_has_its_name",
        STAGED_EVENTS,
        "Emails, campaigns, links and lists have a name, from their row, a lookup or another row.",
    ): ids_without_name,
    Check(
        "nothing_is_earlier_than_its_email",
        STAGED_EVENTS,
        "No open or click is earlier than the delivery of the email to the same person.",
    ): reactions_before_delivery,
    Check(
        "machines_are_counted_apart",
        STAGED_EVENTS,
        "The number of events that the exports mark as caused by machines (is_bot); never a warning.",
    ): bots,
}


@dg.multi_asset_check(
    name="staging__events__checks",
    specs=[check.spec for check in CHECKS],
    can_subset=True,
    pool=WAREHOUSE_READERS,
)
def event_checks(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
    """Check these dates for missing names and contradictory times, and count events of machines."""
    dates = dates_of_run(context.run.tags)
    with warehouse.open().reading() as connection:
        found = {check: finds(connection, dates) for check, finds in CHECKS.items()}
    yield from results(found, context.op_execution_context.selected_asset_check_keys)
