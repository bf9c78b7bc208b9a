"""The page: its numbers are those of its SQL, nothing on it is from elsewhere, and nothing on it is secret."""

import re
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser

import pandas as pd
import pytest

from pipeline.ledger import DeadEvent, Remaining
from pipeline.report.charts import bars_in_text, draw_charts
from pipeline.report.formatting import percent
from pipeline.report.numbers import Numbers, lines
from pipeline.report.queries import TITLES, QueryResult
from pipeline.warehouse import Warehouse
from tests.report.conftest import (
    BOTH_DAYS,
    HOSTILE,
    MADE_AT,
    NEXT_DAY,
    PASSWORD,
    TOKEN,
    WRITE_KEY,
    Reported,
    load,
    read_rows,
)
from tests.support.delivery_fixtures import opened
from tests.support.modelled_tables import DAY, SCHEMA, day, event_row, id_of

_SQL = re.compile(r'<section class="sql" id="sql-(\w+)".*?<code>(.*?)</code>', re.DOTALL)
_LINKED = re.compile(r'<a class="n[^"]*" href="#sql-(\w+)">([^<]*)</a>')


def as_pasted(reported: Reported, sql: str) -> list[dict[str, object]]:
    """What a query of the page gives in a fresh session, as `python -m pipeline sql` opens it."""
    with reported.warehouse.reading() as connection:
        connection.execute(f"USE lake.{SCHEMA}")
        cursor = connection.execute(sql)
        return [dict(zip([column[0] for column in cursor.description], row, strict=True)) for row in cursor.fetchall()]


def row_of(numbers: Numbers, name: str, export_date: object) -> dict[str, object]:
    [row] = [row for row in numbers.rows(name) if row["export_date"] == export_date and row.get("event") is None]
    return dict(row)


def test_what_happened_is_counted_as_by_hand(busy: Reported) -> None:
    busy.make()
    numbers = busy.numbers()
    emails = {
        "export_date": DAY,
        "delivered": 6,
        "opened": 2,
        "opened_once": 1,
        "opened_by_machine": 1,
        "clicked": 1,
        "clicked_once": 1,
        "clicked_by_machine": 0,
        "unsubscribed": 1,
        "spam": 0,
        "bounced": 0,
    }
    rates = {"open_rate": 1 / 6, "click_rate": 1 / 6, "unsubscribe_rate": 1 / 6, "spam_rate": 0, "bounce_rate": 0}
    assert row_of(numbers, "funnel", DAY) == emails | rates
    assert row_of(numbers, "funnel", NEXT_DAY)["bounce_rate"] == 1 / 2
    rows = {"files": 2, "rows": 20, "event_rows": 13, "lookup_rows": 4, "skipped": 2, "rejected": 1, "suppressed": 0}
    assert row_of(numbers, "rows", DAY) == {"export_date": DAY, **rows, "reconciles": True}
    assert row_of(numbers, "rows", NEXT_DAY)["suppressed"] == 1
    events = {"event_rows": 13, "events": 11, "duplicates": 2, "suppressed_since": 0, "tracked": 11}
    assert row_of(numbers, "events", DAY) == {"export_date": DAY, **events, "reconciles": True}
    due = {"due": 13, "delivered": 10, "waiting": 2, "dead": 1, "held": 0, "forgotten": 0}
    due |= {"delivered_rate": 10 / 13}
    assert row_of(numbers, "due", None) == {"export_date": None, "event": None, **due, "reconciles": True}
    assert [(row["status"], row["reason"], row["events"]) for row in numbers.rows("undelivered")] == [
        ("waiting", "withheld until released with --release", 2),
        ("dead", f"Segment answered 400 to (address) {HOSTILE}", 1),
    ]
    assert [(row["export_date"], row["events"]) for row in numbers.rows("withheld")] == [(NEXT_DAY, 2)]
    assert [(row["file"], row["status"], row["reason"]) for row in numbers.rows("refused")] == [
        (f"{HOSTILE}.csv", "refused", "no column '(address)' <script>"),
        ("(address)", "unmatched", "no layout matches"),
    ]
    [rejected] = numbers.rows("rejected")
    assert rejected["reason"] == "the date-time '…' cannot be read as <b>ISO</b>"
    assert {
        row["at_most"]: (row["exported"], row["delivered"]) for row in numbers.rows("lateness") if row["exported"]
    } == {86400: (13, 10)}
    # Batches of at most three, answered one second after the other.
    [delivery] = numbers.rows("throughput")
    assert (delivery["batches"], delivery["events"], delivery["seconds"]) == (5, 10, 5.0)
    assert delivery["events_per_second"] == 2
    assert all(line.holds for line in lines(numbers))


def test_every_query_of_the_appendix_gives_the_numbers_that_are_shown(busy: Reported) -> None:
    page = busy.page()
    numbers = busy.numbers()
    queries = {name: unescape(sql) for name, sql in _SQL.findall(page)}
    assert list(queries) == list(TITLES)
    for name, sql in queries.items():
        assert as_pasted(busy, sql) == numbers.rows(name), name
    # Each number links to a query that is there, and a whole number is one that the query gives, or its count of rows.
    linked = _LINKED.findall(page)
    assert len(linked) > 100
    for name, shown in linked:
        rows = as_pasted(busy, queries[name])
        if re.fullmatch(r"[\d,]+", shown):
            given = {round(value) for row in rows for value in row.values() if isinstance(value, int | float)}
            assert int(shown.replace(",", "")) in given | {len(rows)}, (name, shown)
        elif shown.endswith("%"):
            assert shown in {percent(value) for row in rows for value in row.values() if isinstance(value, float)}


def test_a_total_on_the_page_is_that_of_the_warehouse(busy: Reported) -> None:
    page = busy.page()
    assert as_pasted(busy, "SELECT count(*) AS n FROM delivery.events WHERE status = 'delivered'") == [{"n": 10}]
    assert ">10</a> of <a" in page
    assert "76.9\u00a0%" in page
    assert "✓ Every number reconciles" in page
    assert "Dry run" not in page


@pytest.mark.parametrize(
    ("loss", "stage"),
    [
        ("DELETE FROM raw.rejected_rows", "rows"),
        (f"DELETE FROM {SCHEMA}.tracks WHERE event = 'email_link_clicked'", "events"),
        ("DELETE FROM staging.events WHERE event_text = 'Email Link Clicked'", "events"),
        ("DELETE FROM delivery.outbox WHERE event = 'email_link_clicked'", "due"),
    ],
)
def test_what_does_not_reconcile_is_shown(busy: Reported, loss: str, stage: str) -> None:
    busy.change(loss)
    page = busy.page()
    numbers = busy.numbers()
    assert "✗ Numbers of 1 of 2 export dates do not reconcile" in page
    assert not row_of(numbers, stage, DAY)["reconciles"]
    assert not row_of(numbers, stage, None)["reconciles"]
    assert row_of(numbers, stage, NEXT_DAY)["reconciles"]


def test_a_file_of_several_layouts_is_one_file_whose_rows_count_for_each_of_them(nothing: Reported) -> None:
    with opened(nothing.warehouse) as lake:
        load(lake, "wide.csv", DAY, rows=4, rejected=1, layout="opens")
        load(lake, "wide.csv", DAY, rows=4, rejected=1, layout="contacts", kind="contacts")
        for kind in ("events", "contacts"):
            load(lake, "next.csv", NEXT_DAY, status="refused", layout=kind, kind=kind, reason="layout contacts: …")
        read_rows(lake, DAY, 3, 0, ["no list_id", "no date-time"])
        lake.connection.execute(f"INSERT INTO raw.lookups (export_date) SELECT '{DAY}' FROM range(3)")
    numbers = nothing.numbers()
    rows = {"files": 1, "rows": 8, "event_rows": 3, "lookup_rows": 3, "skipped": 0, "rejected": 2, "suppressed": 0}
    assert row_of(numbers, "rows", DAY) == {"export_date": DAY, **rows, "reconciles": True}
    assert [(row["file"], row["reason"]) for row in numbers.rows("refused")] == [("next.csv", "layout contacts: …")]


def test_forgotten_events_are_due_and_neither_delivered_nor_waiting(busy: Reported) -> None:
    [(batch_id,)] = [
        tuple(row.values())
        for row in as_pasted(busy, "SELECT batch_id FROM delivery.outbox WHERE event = 'email_link_clicked'")
    ]
    busy.ledger.forget([Remaining(batch_id, "email_link_clicked", DAY, 0)], [])
    busy.change("DELETE FROM delivery.outbox WHERE event = 'email_link_clicked'")
    busy.make()
    total = row_of(busy.numbers(), "due", None)
    assert (total["due"], total["delivered"], total["forgotten"], total["reconciles"]) == (13, 9, 1, True)


def test_held_events_are_shown_with_the_command_that_releases_them(busy: Reported) -> None:
    """An open and a click of machines, of which the click's person was suppressed meanwhile."""
    with opened(busy.warehouse) as lake:
        lake.stage(
            event_row(30, is_bot=True, export_date=f"{NEXT_DAY}"),
            event_row(31, "Email Link Clicked", is_bot=True, export_date=f"{NEXT_DAY}"),
        )
        busy.ledger.release(BOTH_DAYS)
        lake.put_out(busy.ledger, BOTH_DAYS, hold_bots=True)
        [batch_id] = [batch for batch, ids in lake.batches().items() if ids == [id_of(31)]]
    busy.ledger.withdraw([DeadEvent(id_of(31), "email_link_clicked", NEXT_DAY, batch_id, "suppressed")], MADE_AT)
    page = busy.page()
    numbers = busy.numbers()
    total = row_of(numbers, "due", None)
    parts = ("due", "delivered", "waiting", "dead", "held", "reconciles")
    assert [total[part] for part in parts] == [15, 10, 2, 2, 1, True]
    [held] = [row for row in numbers.rows("undelivered") if row["status"] == "held"]
    assert (held["events"], held["reason"]) == (1, "of machines; held until released with replay --held")
    assert "Waiting, dead, held" in page
    [alt] = [chart.alt for chart in draw_charts(numbers) if chart.name == "standing"]
    assert "2 waiting, 2 dead and 1 held." in alt


class Tags(HTMLParser):
    """Which elements a page has, and what it would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []
        self.inner: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        given = dict(attributes)
        assert not [name for name in given if name.startswith("on")], tag
        self.ids += [given["id"]] if given.get("id") else []
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
            value = given.get(name)
            if value and value.startswith("#"):
                self.inner.add(value[1:])
            elif value:
                self.loads.append(value)


def test_the_page_loads_nothing_and_its_links_lead_somewhere(busy: Reported) -> None:
    page = busy.page()
    tags = Tags(page)
    assert tags.loads == ["data:,"]
    assert not {"script", "img", "iframe", "object", "embed", "base", "form"} & set(tags.names)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    assert len(tags.ids) == len(set(tags.ids))
    assert tags.inner <= set(tags.ids)


def test_names_and_reasons_from_outside_are_text(busy: Reported) -> None:
    page = busy.page()
    assert HOSTILE not in page
    assert "&lt;img src=" in page
    assert "<script>" not in page
    assert "<b>ISO" not in page


def test_no_person_is_on_the_page(busy: Reported) -> None:
    page = busy.page()
    assert "@example.com" not in page
    assert "user-1" not in page
    assert "(address)" in page


def test_no_secret_is_on_the_page_or_in_a_picture(busy: Reported, monkeypatch: pytest.MonkeyPatch) -> None:
    made = busy.make(
        segment_public_api_token=TOKEN,
        segment_source_id="source",
        ledger=f"postgresql://me:{PASSWORD}@db.example/ledger",
        selligent_exports=f"sftp://me:{PASSWORD}@files.example/out",
        segment_endpoint=f"https://me:{PASSWORD}@proxy.example",
    )
    text = made.page + "".join(chart.svg + chart.markdown for chart in made.charts) + repr(made)
    for secret in (WRITE_KEY, TOKEN, PASSWORD):
        assert secret not in text


def test_the_password_of_a_catalog_is_not_shown(busy: Reported) -> None:
    server = Warehouse(f"ducklake:postgres:dbname=lake host=db password={PASSWORD}", f"s3://key:{PASSWORD}@bucket/")
    assert PASSWORD not in server.shown


def test_an_empty_warehouse_has_a_page_that_says_so(nothing: Reported) -> None:
    made = nothing.make()
    page = made.page
    assert made.charts == []
    assert "The warehouse is empty" in page
    assert Tags(page).loads == ["data:,"]


def test_a_warehouse_without_models_has_what_there_is(busy: Reported) -> None:
    """A first run whose models failed: files and rows are reported, events are not."""
    tables = ["tracks", "email_delivered", "email_opened", "email_link_clicked", "email_marked_as_spam"]
    tables += ["email_bounced", "email_unsubscribed"]
    busy.change(
        "DROP TABLE staging.events",
        "DROP TABLE staging.event_rows",
        *(f"DROP TABLE {SCHEMA}.{name}" for name in tables),
    )
    page = busy.page()
    assert "No events have been modelled yet" in page
    assert busy.numbers().total("rows")["rows"] == 23


def test_a_dry_run_is_called_one(busy: Reported) -> None:
    page = busy.page(segment_write_key=None)
    assert "Dry run: no write key, nothing is sent" in page
    assert "dry run: nothing is sent" in page


def test_the_newest_thirty_dates_count_and_no_older_ones(nothing: Reported) -> None:
    with opened(nothing.warehouse) as lake:
        for number in range(40):
            load(lake, f"log{number}.csv", day(number * 2).first)
        load(lake, "unknown.csv", day(900).first, status="unmatched")
    assert nothing.dates() == type(day(0))(day(20).first, day(78).first)
    assert ">30</a>)" in nothing.page()


def test_the_same_numbers_give_the_same_page_and_pictures_stay_small(busy: Reported) -> None:
    made = busy.make()
    assert busy.make().page == made.page
    assert [chart.name for chart in made.charts] == ["funnel", "standing", "lateness", "pace"]
    for chart in made.charts:
        assert chart.markdown.startswith(f"![{chart.alt}](data:image/svg+xml;base64,")
        assert len(chart.markdown) < 100_000
    assert made.bars.splitlines() == [
        "```",
        " 2 Mar ██████████████████░░ 10 of 11",
        " 3 Mar ░░░░                 0 of 2",
        "```",
    ]


def test_pictures_of_many_dates_stay_small(nothing: Reported) -> None:
    with opened(nothing.warehouse) as lake:
        for number in range(30):
            load(lake, f"log{number}.csv", day(number).first)
        lake.connection.execute(
            "INSERT INTO staging.events BY NAME SELECT uuid() AS id, DATE '2026-03-02' + CAST(i // 100 AS INTEGER) "
            "AS export_date, 'Email Delivered' AS event_text, now() AS timestamp, now() AS exported_at "
            "FROM range(3000) t(i)"
        )
    charts = draw_charts(nothing.numbers())
    assert charts
    assert all(len(chart.markdown) < 100_000 for chart in charts)


def test_the_chart_in_text_is_shown_without_a_click_however_large_the_numbers() -> None:
    """Dagster's UI hides Markdown of a thousand characters and more behind a button."""
    days = [(NEXT_DAY + timedelta(days=number), None, 987_654_321, 123_456_789) for number in range(30)]
    rows = pd.DataFrame(days, columns=["export_date", "event", "due", "delivered"])
    shown = bars_in_text(Numbers(None, {"due": QueryResult("due", "", "", rows)}))
    assert shown.splitlines()[-2] == " 1 Apr ██░░░░░░░░░░░░░░░░░░ 123,456,789 of 987,654,321"
    assert len(shown) < 1000
