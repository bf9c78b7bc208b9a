"""What the lookups give for each key: the rule of the newest snapshot in SQL, for Python and for dbt.

Each file is a whole snapshot, so the newest one that has a key counts as a whole: a value that it lacks is cleared,
whatever an earlier file has. Within a file, a key can have several rows, since a wide export has a row per event.
There, an empty cell does not contradict the other rows: for each column, the last value that is not empty counts.
"""

from pipeline.catalog import LOOKUPS
from pipeline.warehouse.trimming import identifier_sql, visible_sql

# ORDER BY of the snapshots: the first one that has a key counts. The export date comes before `exported_at`: if the
# name of a file has a date but no time, `exported_at` comes from the clock of the system that wrote the file. If both
# are equal, the later load wins. Loads of an earlier version of the program have no number.
_NEWEST_FIRST = "export_date DESC, exported_at DESC, load_number DESC NULLS LAST, loaded_at DESC, file DESC"
_OF_SNAPSHOT = ("export_date", "exported_at", "loaded_at")


def lookup_rows(kind: str, where: str = "true") -> str:
    """SQL for the rows of `raw.lookups` of one kind, with keys and values cleaned as in the model `stg_event_rows`.

    `where` restricts the snapshots; the alias of the table is `lookups`.
    """
    key, values = LOOKUPS[kind].key, LOOKUPS[kind].values
    ids = {*key, "user_id", "email"}
    cleaned = ", ".join(
        f"{identifier_sql(column) if column in ids else visible_sql(column)} AS {column}" for column in (*key, *values)
    )
    return (
        f"SELECT {cleaned}, traits, export_date, exported_at, load_number, loaded_at, file, row_number "
        f"FROM raw.lookups AS lookups WHERE kind = '{kind}' AND {where}"
    )


def newest_lookups(kind: str, rows: str) -> str:
    """SQL for one row per key: its values, `traits`, and `export_date`, `exported_at` and `loaded_at` of the snapshot.

    `rows` is SQL for a relation with the columns of `lookup_rows`. Only keys with several rows in their newest snapshot
    are aggregated, since the texts in an aggregate stay in memory. Traits are those of the last row as a whole.
    """
    key, values = ", ".join(LOOKUPS[kind].key), LOOKUPS[kind].values
    last_values = ", ".join(f"arg_max({value}, row_number) AS {value}" for value in values)  # ignores NULL
    of_snapshot = ", ".join(f"any_value({column}) AS {column}" for column in _OF_SNAPSHOT)
    return f"""
        WITH newest AS (
            SELECT *, count(*) OVER newest_first AS rows_of_key
            FROM {rows}
            WINDOW newest_first AS (PARTITION BY {key} ORDER BY {_NEWEST_FIRST})
            QUALIFY rank() OVER newest_first = 1
        )
        SELECT {key}, {", ".join(values)}, traits, {", ".join(_OF_SNAPSHOT)} FROM newest WHERE rows_of_key = 1
        UNION ALL
        SELECT {key}, {last_values}, arg_max_null(traits, row_number) AS traits, {of_snapshot}
        FROM newest WHERE rows_of_key > 1 GROUP BY {key}
    """
