"""Generate an interaction log of any size for `benchmarks/layouts/interactions.yml`, the same each time.

    python -m benchmarks.generate FILE ROWS

The file is written in the morning and covers the day before, ordered by time. The values of a row are hashes of its
number: 16 rows per person, 300 emails of 40 campaigns on 3 lists, 6 links per email. One row in 2,000 repeats the row
before it (two real events), 4 % have no customer key, and 5 % have a known code that is no event. An unknown code and
an invalid date occur in one row of 25,000 each, and the last three rows are incomplete.
"""

import sys
from datetime import date
from pathlib import Path

import duckdb

FILE_NAME = "ACME_interactions_20240611_0600.csv"
EXPORT_DATE = "2024-06-11"
DAY = date(2024, 6, 10)
# The share of rows that are events.
SHARE_OF_EVENTS = 0.95
BROKEN = '"12"|"884001"|"C-100001"|"person@example.com"\n'

_SQL = """
COPY (
    WITH numbers AS (
        SELECT CASE WHEN range % 2000 = 1999 THEN range - 1 ELSE range END AS n FROM range({rows})
    ),
    dice AS (
        SELECT
            n,
            CAST(hash(n, 'person') % greatest({rows} // 16, 1) AS INTEGER) AS person,
            CAST(hash(n, 'email') % 300 AS INTEGER) AS email,
            CAST(hash(n, 'link') % 6 AS INTEGER) AS link,
            CAST(hash(n, 'event') % 10000 AS INTEGER) AS event,
            CAST(hash(n, 'flaw') % 25000 AS INTEGER) AS flaw,
            {late} AS late
        FROM numbers
    )
    SELECT
        CAST(12 + email % 3 AS VARCHAR) AS LIST_ID,
        CAST(884001 + person AS VARCHAR) AS USER_ID,
        CASE WHEN person % 100 >= 4 THEN 'C-' || (100001 + person) ELSE '' END AS CUSTOMER_KEY,
        ['zoe', 'jurgen', 'mieke', 'noel', 'lotte', 'daan', 'chloe'][1 + person % 7] || '.'
            || ['peeters', 'dubois', 'janssens', 'lindstrom', 'maes'][1 + person % 5] || person
            || ['@example.com', '@example.org', '@example.net'][1 + person % 3] AS MAIL,
        CAST(5100 + email % 40 AS VARCHAR) AS JOURNEY_ID,
        'NL_2024_06_campaign_' || (email % 40) AS JOURNEY_NAME,
        CAST(7000 + email AS VARCHAR) AS CONTENT_ID,
        'Zoë & Åsa | onze zomerfavorieten, week ' || email AS SUBJECT,
        CASE
            WHEN flaw = 0 THEN 'FWD'
            WHEN event < 500 THEN 'SENT'
            WHEN event < 5500 THEN 'DELIVERED'
            WHEN event < 8500 THEN 'VIEW'
            WHEN event < 9700 THEN 'CLICK'
            WHEN event < 9900 THEN 'BOUNCE'
            WHEN event < 9980 THEN 'OPTOUT'
            ELSE 'COMPLAINT'
        END AS INTERACTION,
        CASE WHEN event BETWEEN 8500 AND 9699 THEN CAST(20000 + email * 6 + link AS VARCHAR) ELSE '' END AS LINK_ID,
        CASE WHEN event BETWEEN 8500 AND 9699 THEN 'hero "shop now" ' || link ELSE '' END AS LINK_NAME,
        CASE WHEN hash(n, 'bot') % 100 < 7 THEN '1' ELSE '0' END AS IS_BOT,
        CASE
            WHEN flaw = 1 THEN '2024-02-31T08:15:00'
            ELSE strftime(
                TIMESTAMP '{day}' + to_seconds(CAST(n * 86399 // {rows} AS BIGINT)) - to_days(late),
                '%Y-%m-%dT%H:%M:%S'
            )
        END AS INTERACTION_DT
    FROM dice
) TO '{path}' (FORMAT csv, DELIMITER '|', QUOTE '"', HEADER, FORCE_QUOTE *)
"""


def generate(path: Path, rows: int, day: date = DAY, *, late: int = 0) -> None:
    """Write a file of this many `rows`, plus three incomplete ones. The events happened on `day`, except one
    of `late` rows, which happened up to a week before.
    """
    days_late = f"CASE WHEN hash(n, 'late') % {late} = 0 THEN 1 + hash(n, 'days') % 7 ELSE 0 END" if late else "0"
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute(
            _SQL.format(rows=rows, day=day, late=f"CAST({days_late} AS INTEGER)", path=str(path).replace("'", "''"))
        )
    with path.open("a", encoding="utf-8") as file:
        file.write(BROKEN * 3)


if __name__ == "__main__":
    generate(Path(sys.argv[1]), int(sys.argv[2]))
