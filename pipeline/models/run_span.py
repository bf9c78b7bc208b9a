"""The time span of the events in a run's exports. Models read only this span, whatever the length of the history."""

import json
from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipeline.catalog import LOOKUPS, NAMES
from pipeline.export_dates import ExportDates
from pipeline.models.newest_lookups import lookup_rows, newest_lookups
from pipeline.privacy.suppression import any_newly_suppressed, any_suppressed
from pipeline.warehouse import has_table, one_column, one_row


@dataclass(frozen=True)
class RunSpan:
    """Export dates of a run, and the first and last timestamp of their events; None without events.

    `all_names`: lookups of these dates changed names of events of other dates, so those are modelled, too. The model
    `stg_events` itself finds what names in rows of events change.
    `corrected`: a file of these dates was replaced by newer content, so events may have to be deleted.
    `suppressed`: `no` (no person is suppressed), `known` (every suppressed person is already removed from the tables)
    or `new` (one may not be).
    """

    dates: ExportDates
    earliest: datetime | None
    latest: datetime | None
    all_names: bool = False
    corrected: bool = False
    suppressed: str = "no"

    def as_environment(self) -> dict[str, str]:
        """The environment variables that the dbt macro `run_window` reads."""
        never = "infinity"
        return {
            "DBT_WINDOW_FIRST_DATE": str(self.dates.first),
            "DBT_WINDOW_LAST_DATE": str(self.dates.last),
            "DBT_WINDOW_EARLIEST": self.earliest.isoformat() if self.earliest else never,
            "DBT_WINDOW_LATEST": self.latest.isoformat() if self.latest else never,
            "DBT_WINDOW_ALL_NAMES": str(self.all_names).lower(),
            "DBT_WINDOW_CORRECTED": str(self.corrected).lower(),
            "DBT_WINDOW_SUPPRESSED": self.suppressed,
        }


def run_span(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> RunSpan:
    """The span of all files of these dates; replaced ones included, since their events may have to be deleted."""
    earliest, latest, corrected = one_row(
        connection,
        "SELECT min(first_event_at), max(last_event_at), coalesce(bool_or(status = 'replaced'), false) "
        "FROM raw.export_files WHERE export_date BETWEEN ? AND ?",
        [dates.first, dates.last],
    )
    renamed = _renamed_events(connection, dates)
    moments = list(filter(None, (earliest, latest, *(renamed or ()))))
    return RunSpan(
        dates,
        min(moments, default=None),
        max(moments, default=None),
        all_names=renamed is not None,
        corrected=corrected,
        suppressed=suppressed_people(connection),
    )


def suppressed_people(connection: duckdb.DuckDBPyConnection) -> str:
    """The value of `RunSpan.suppressed`."""
    if not any_suppressed(connection):
        return "no"
    return "new" if any_newly_suppressed(connection, "modelled_at") else "known"


def revisions(connection: duckdb.DuckDBPyConnection) -> str:
    """The numbers in `staging.revisions`, by table, as the JSON that the dbt macro `run_window` reads."""
    if not has_table(connection, "staging", "revisions"):
        return "{}"
    query = "SELECT table_name, max(revision) FROM staging.revisions WHERE revision IS NOT NULL GROUP BY ALL"
    return json.dumps(dict(connection.execute(query).fetchall()))


def _renamed_events(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> tuple[datetime, datetime] | None:
    """First and last timestamp of events to which a lookup of these dates gives another name or person."""
    if not has_table(connection, "staging", "events"):
        return None
    query = "SELECT DISTINCT kind FROM raw.export_files WHERE status = 'replaced' AND export_date BETWEEN ? AND ?"
    replaced = one_column(connection, query, [dates.first, dates.last])
    found = [one_row(connection, _renamed_by(kind), [dates.first, dates.last]) for kind in LOOKUPS]
    if replaced:
        names = set(NAMES) if has_table(connection, "staging", "names") else set()
        found += [one_row(connection, _misnamed_by(kind, kind in names)) for kind in replaced if kind in LOOKUPS]
    spans = [span for span in found if span[0] is not None]
    if not spans:
        return None
    return min(span[0] for span in spans), max(span[1] for span in spans)


def _renamed_by(kind: str) -> str:
    """SQL for the time span of events to which lookups of these dates give a new name."""
    key, values = LOOKUPS[kind].key, LOOKUPS[kind].values
    keys = ", ".join(key)
    same_key = " AND ".join(f"today.{column} = before.{column}" for column in key)
    return f"""
        WITH snapshots AS (
            SELECT *, export_date BETWEEN $1 AND $2 AS of_this_run FROM ({lookup_rows(kind)})
        ),
        today AS ({newest_lookups(kind, "snapshots")}),
        before AS ({newest_lookups(kind, "(FROM snapshots WHERE NOT of_this_run)")}),
        changed AS (
            SELECT {", ".join(f"today.{column}" for column in key)}
            FROM today LEFT JOIN before ON {same_key}
            WHERE row({", ".join(f"today.{column}" for column in values)})
                IS DISTINCT FROM row({", ".join(f"before.{column}" for column in values)})
                AND EXISTS (SELECT 1 FROM snapshots WHERE of_this_run)
        )
        SELECT min(events.timestamp), max(events.timestamp)
        FROM staging.events AS events JOIN changed USING ({keys})
    """


def _given(kind: str, has_names: bool) -> str:
    """SQL for what each key gives to events: the newest lookup, else the newest name in rows of events, if there are
    such names.
    """
    looked_up = newest_lookups(kind, f"({lookup_rows(kind)})")
    if not has_names:
        return looked_up
    id_, name = NAMES[kind]
    return f"""
        SELECT {id_}, coalesce(looked_up.{name}, found.found_name) AS {name}
        FROM ({looked_up}) AS looked_up
        FULL JOIN (
            SELECT id AS {id_}, arg_max(found_name, export_date) AS found_name FROM staging.names
            WHERE kind = '{kind}' AND found_name IS NOT NULL GROUP BY id
        ) AS found USING ({id_})
    """


def _misnamed_by(kind: str, has_names: bool) -> str:
    """SQL for the time span of events whose name is neither that of their row nor the one that they should be given.

    It is slow, since it scans all events.
    """
    key, values = LOOKUPS[kind].key, LOOKUPS[kind].values
    keys = ", ".join(key)
    has_key = " AND ".join(f"events.{column} IS NOT NULL" for column in key)
    has = f"row({', '.join(f'events.{value}' for value in values)})"
    looked_up = f"row({', '.join(f'today.{value}' for value in values)})"
    should_have = f"row({', '.join(f'coalesce(own.{value}, today.{value})' for value in values)})"
    return f"""
        WITH today AS ({_given(kind, has_names)}),
        misnamed AS (
            SELECT events.id, events.timestamp
            FROM staging.events AS events
            LEFT JOIN today USING ({keys})
            JOIN staging.event_rows AS own ON own.id = events.id
            WHERE {has_key} AND {has} IS DISTINCT FROM {looked_up}
            GROUP BY ALL
            HAVING bool_and({has} IS DISTINCT FROM {should_have})
        )
        SELECT min(timestamp), max(timestamp) FROM misnamed
    """
