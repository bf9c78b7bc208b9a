"""Keep rows of people on the list of SELLIGENT_SUPPRESSED out of `raw`, and count them.

Rows that are written and then deleted would stay in a file as long as their snapshot exists.
"""

from collections.abc import Sequence

import duckdb

from pipeline.privacy.digests import CONTACT, EMAIL, LISTED, USER_ID, contact_digest, normal
from pipeline.privacy.text_matcher import phrases
from pipeline.warehouse import has_rows, one_value

Connection = duckdb.DuckDBPyConnection

_PERSON = ("user_id", "email", "list_id", "selligent_user_id")
# Texts in which another person's row can name a listed one, as in a link `mailto:…`; they are emptied.
_TEXTS = (
    *("extra", "email_subject", "campaign_name", "link_name", "link_url", "list_name", "user_agent", "properties"),
    "traits",
)


def keep_out(connection: Connection, rows: str) -> tuple[str, int]:
    """SQL for the rows (SQL) of people who are not on the list, and the number of the other rows.

    A row belongs to a listed person if it has their user id, email address or contact. A rejected row, in which values
    can be in any column, belongs to them if it names them anywhere. In other people's rows, texts with a listed address
    are emptied. The rows are looked up by `row_number` in a table of this connection.
    """
    columns = [column[0] for column in connection.execute(f"DESCRIBE SELECT * FROM ({rows})").fetchall()]
    person = ", ".join(name if name in columns else f"CAST(NULL AS VARCHAR) AS {name}" for name in _PERSON)
    texts = [name for name in _TEXTS if name in columns]
    anything = [name for name in columns if name not in ("row_number", "occurred_at")]
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE suppressed_rows AS
        WITH rows AS (
            SELECT row_number, {person}, rejected_because IS NOT NULL AS rejected,
                CASE WHEN rejected_because IS NOT NULL THEN {_joined(anything)} ELSE {_joined(texts)} END AS content
            FROM ({rows})
        ),
        words AS (
            SELECT row_number, rejected, unnest({phrases(connection, "content")}) AS word FROM rows
            WHERE rejected OR contains(content, '@')
        ),
        naming AS (
            SELECT DISTINCT row_number, rejected FROM words JOIN {LISTED} AS listed
                ON words.word = listed.phrase AND (listed.naming OR words.rejected)
        )
        SELECT row_number, true AS of_listed FROM rows WHERE {_is_listed(connection)}
        UNION ALL
        SELECT row_number, rejected FROM naming
        """
    )
    counted = connection.execute(
        "SELECT count(DISTINCT row_number) FROM temp.suppressed_rows WHERE of_listed"
    ).fetchall()
    emptied = ", ".join(
        f"CASE WHEN row_number IN (SELECT row_number FROM temp.suppressed_rows) THEN NULL ELSE {text} END AS {text}"
        for text in texts
    )
    return (
        f"SELECT *{f' REPLACE ({emptied})' if emptied else ''} FROM ({rows}) "
        "WHERE row_number NOT IN (SELECT row_number FROM temp.suppressed_rows WHERE of_listed)",
        counted[0][0],
    )


def _joined(columns: Sequence[str]) -> str:
    return f"concat_ws(' ', {', '.join(columns)})" if columns else "''"


def _is_listed(connection: Connection) -> str:
    tests = [
        f"coalesce({normal(kind, kind)} IN (SELECT value FROM {LISTED} WHERE kind = '{kind}'), false)"
        for kind in (USER_ID, EMAIL)
    ]
    known = f"SELECT digest FROM raw.suppressed WHERE kind = '{CONTACT}'"
    if has_rows(connection, f"{known} LIMIT 1"):  # hashing every row takes time
        tests.append(f"coalesce({contact_digest('list_id', 'selligent_user_id')} IN ({known}), false)")
    return " OR ".join(tests)


def keep_out_unread(connection: Connection, rows: str) -> tuple[str, int]:
    """SQL for the unread rows (SQL, with a `text`) that name no listed person, and the number of those that do."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE unread_rows AS SELECT row_number() OVER () AS number, * FROM ({rows})"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE suppressed_unread AS SELECT DISTINCT number "
        f"FROM (SELECT number, unnest({phrases(connection, 'text')}) AS word FROM temp.unread_rows) "
        f"WHERE word IN (SELECT phrase FROM {LISTED})"
    )
    withheld = one_value(connection, "SELECT count(*) FROM temp.suppressed_unread")
    kept = (
        "SELECT * EXCLUDE (number) FROM temp.unread_rows "
        "WHERE number NOT IN (SELECT number FROM temp.suppressed_unread)"
    )
    return kept, int(withheld)
