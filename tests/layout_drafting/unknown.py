"""Exports without a layout, made up in the shapes that Selligent writes: 200 rows each, seeded."""

import csv
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

ROWS = 200
FIRST = datetime(2024, 6, 10, 8, 30, tzinfo=UTC)
SUBJECTS = ["Soldes d'été: -30 %", "Zoë & Åsa, onze zomerfavorieten", 'Laatste kans: "alles moet weg"']
NAMES = ["zoe", "asa", "noël", "o'brien", "daan.wouters+news", "jürgen_x"]
DOMAINS = ["example.com", "mail.example.org", "exämple.net"]

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Unknown:
    """An export: how it is written, what stands in it, and what its draft must say."""

    file_name: str
    rows: Rows
    delimiter: str = ","
    quoting: int | None = csv.QUOTE_ALL
    header: bool = True
    encoding: str = "utf-8"
    packing: str | None = None
    draft: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)

    @property
    def addresses(self) -> set[str]:
        return {value for row in self.rows for value in row.values() if "@" in value}

    @property
    def name(self) -> str:
        return self.file_name + {None: "", "gzip": ".gz", "zip": ".zip"}[self.packing]

    @property
    def content(self) -> bytes:
        packed = self.text.encode(self.encoding)
        if self.packing == "gzip":
            return gzip.compress(packed)
        if self.packing == "zip":
            with io.BytesIO() as target:
                with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                    archive.writestr(self.file_name, packed)
                return target.getvalue()
        return packed

    @property
    def text(self) -> str:
        if self.file_name.endswith(".ndjson"):
            return "".join(
                json.dumps({k: v for k, v in row.items() if v}, ensure_ascii=False) + "\n" for row in self.rows
            )
        lines = [list(self.rows[0]), *(list(row.values()) for row in self.rows)]
        if not self.header:
            del lines[0]
        if self.quoting is None:
            return "".join(self.delimiter.join(line) + "\r\n" for line in lines)
        mark = self.delimiter if len(self.delimiter) == 1 else "\x1f"
        target = io.StringIO(newline="")
        csv.writer(target, delimiter=mark, quoting=self.quoting).writerows(lines)  # type: ignore[arg-type]
        return target.getvalue().replace(mark, self.delimiter)

    def but(self, **changes: Any) -> "Unknown":
        return replace(self, **changes)


def _people(chance: random.Random) -> list[tuple[str, str, str]]:
    """Selligent's id, the customer's key, the address."""
    return [
        (str(884000 + n), f"C-{10000 + n}", f"{chance.choice(NAMES)}{n}@{chance.choice(DOMAINS)}") for n in range(60)
    ]


def _rows(make: Callable[[random.Random, tuple[str, str, str], datetime], dict[str, str]]) -> Rows:
    chance = random.Random(5)
    people = _people(chance)
    moment, rows = FIRST, []
    for _ in range(ROWS):
        moment += timedelta(seconds=chance.randrange(1, 900), milliseconds=chance.randrange(1000))
        rows.append(make(chance, chance.choice(people), moment))
    return rows


def labelled() -> Unknown:
    """Every name is in the row, a code gives the event; all quoted, zipped."""

    def row(chance: random.Random, person: tuple[str, str, str], moment: datetime) -> dict[str, str]:
        code = chance.choice(["SENT", "VIEW", "VIEW", "CLICK"])
        link = code == "CLICK"
        return {
            "LIST_ID": "12",
            "USER_ID": person[0],
            "JOURNEY_ID": "5120",
            "JOURNEY_NAME": "NL_2024_06_weekly",
            "CONTENT_ID": chance.choice(["7743", "7744"]),
            "SUBJECT": chance.choice(SUBJECTS),
            "INTERACTION": code,
            "LINK_ID": "2071" if link else "",
            "LINK_NAME": 'hero "shop now" | top' if link else "",
            "IS_BOT": chance.choice("01"),
            "INTERACTION_DT": f"{moment:%Y-%m-%dT%H:%M:%S}",
        }

    return Unknown(
        file_name="ACME_interactions_20240611_0600.csv",
        rows=_rows(row),
        delimiter="|",
        packing="zip",
        codes={"SENT": "Email Delivered", "VIEW": "Email Opened", "CLICK": "Email Link Clicked"},
        draft={
            "name": "acme_interactions",
            "files": r"ACME_interactions_(?P<date>\d{8})_(?P<time>\d{4})\.csv",
            "kind": "events",
            "format": "csv",
            "encoding": "utf-8",
            "delimiter": "|",
            "quote": '"',
            "header": True,
            "timezone": "FILL_IN",
            "event_column": "INTERACTION",
            "event_codes": {"SENT": "CHECK null", "VIEW": "CHECK Email Opened", "CLICK": "CHECK Email Link Clicked"},
            "columns": {
                "LIST_ID": "list_id",
                "USER_ID": "selligent_user_id",
                "JOURNEY_ID": "campaign_id",
                "JOURNEY_NAME": "campaign_name",
                "CONTENT_ID": "email_id",
                "SUBJECT": "email_subject",
                "LINK_ID": "link_id",
                "LINK_NAME": "link_name",
                "IS_BOT": "is_bot",
                "INTERACTION_DT": "timestamp",
            },
        },
    )


def coded() -> Unknown:
    """Ids only, nothing quoted, and nothing in the rows gives the event."""

    def row(chance: random.Random, person: tuple[str, str, str], moment: datetime) -> dict[str, str]:
        return {
            "LISTID": "12",
            "USERID": person[0],
            "CAMPAIGNID": "5120",
            "MAILID": chance.choice(["7743", "7744"]),
            "INQUEUEID": str(chance.randrange(99120000, 99129999)),
            "PROBEID": chance.choice(["2071", "2072", "NULL"]),
            "DT": f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3],
        }

    return Unknown(
        file_name="ACME_2024-06-11_063000_part2.txt",
        rows=_rows(row),
        delimiter=";",
        quoting=None,
        draft={
            "name": "acme_part",
            "files": r"ACME_(?P<date>\d{4}-\d{2}-\d{2})_(?P<time>\d{6})_part(?P<part>\d+)\.txt",
            "kind": "events",
            "format": "csv",
            "encoding": "utf-8",
            "delimiter": ";",
            "quote": None,
            "header": True,
            "null_values": ["", "NULL"],
            "timezone": "FILL_IN",
            "event": "FILL_IN",
            "columns": {
                "LISTID": "list_id",
                "USERID": "selligent_user_id",
                "CAMPAIGNID": "campaign_id",
                "MAILID": "email_id",
                "INQUEUEID": "send_id",
                "PROBEID": "link_id",
                "DT": "timestamp",
            },
        },
    )


def clicks() -> Unknown:
    """A file an event, tabs, Windows-1252."""

    def row(chance: random.Random, person: tuple[str, str, str], moment: datetime) -> dict[str, str]:
        return {
            "CUSTOMER_KEY": person[1],
            "MAIL": person[2],
            "CAMPAIGN_ID": "5120",
            "CAMPAIGN_NAME": chance.choice(["NL_2024_06_weekly", "FR été"]),
            "MAIL_ID": "7743",
            "PROBE_ID": "2071",
            "PROBE_NAME": chance.choice(["héro", "voir l'été", f"écrire à {person[2]}"]),
            "CLICK_DT": f"{moment + timedelta(days=5):%d-%m-%Y %H:%M:%S}",
        }

    return Unknown(
        file_name="ACME_clicks_20240611060500.txt",
        rows=_rows(row),
        delimiter="\t",
        quoting=None,
        encoding="windows-1252",
        draft={
            "name": "acme_clicks",
            "files": r"ACME_clicks_(?P<date>\d{8})(?P<time>\d{6})\.txt",
            "kind": "events",
            "format": "csv",
            "encoding": "windows-1252",
            "delimiter": "\t",
            "quote": None,
            "header": True,
            "timezone": "FILL_IN",
            "datetime_formats": ["%d-%m-%Y %H:%M:%S"],
            "event": "CHECK Email Link Clicked",
            "columns": {
                "CUSTOMER_KEY": "user_id",
                "MAIL": "email",
                "CAMPAIGN_ID": "campaign_id",
                "CAMPAIGN_NAME": "campaign_name",
                "MAIL_ID": "email_id",
                "PROBE_ID": "link_id",
                "PROBE_NAME": "link_name",
                "CLICK_DT": "timestamp",
            },
        },
    )


def sends() -> Unknown:
    """A send log in UTF-16, quoted; a state distinguishes delivered from bounced."""

    def row(chance: random.Random, person: tuple[str, str, str], moment: datetime) -> dict[str, str]:
        return {
            "ID": str(99120000 + round((moment - FIRST).total_seconds() * 1000)),
            "LISTID": "12",
            "USERID": person[0],
            "CAMPAIGNID": "5120",
            "MAILID": "7743",
            "MAIL": person[2],
            "STATE": chance.choice(["30", "30", "41"]),
            "SENT_DT": f"{moment + timedelta(days=5):%m/%d/%Y %H:%M:%S}",
        }

    return Unknown(
        file_name="ACME_sends_20240611.csv",
        rows=_rows(row),
        encoding="utf-16-le",
        codes={"30": "Email Delivered", "41": "Email Bounced"},
        draft={
            "name": "acme_sends",
            "files": r"ACME_sends_(?P<date>\d{8})\.csv",
            "kind": "events",
            "format": "csv",
            "encoding": "utf-16-le",
            "delimiter": ",",
            "quote": '"',
            "header": True,
            "timezone": "FILL_IN",
            "datetime_formats": ["%m/%d/%Y %H:%M:%S"],
            "event_column": "STATE",
            "event_codes": dict.fromkeys(["30", "41"], "FILL_IN"),
            "columns": {
                "ID": "event_id",
                "LISTID": "list_id",
                "USERID": "selligent_user_id",
                "CAMPAIGNID": "campaign_id",
                "MAILID": "email_id",
                "MAIL": "email",
                "SENT_DT": "timestamp",
            },
        },
    )


SEGMENT_COLUMNS = [
    "user_id",
    "event",
    "email_id",
    "email_subject",
    "campaign_id",
    "campaign_name",
    "link_id",
    "link_name",
    "list_id",
    "list_name",
    "timestamp",
]
SIX = ["Delivered", "Opened", "Link Clicked", "Marked as Spam", "Bounced", "Unsubscribed"]


def segment() -> Unknown:
    """Segment's own words, as CSV; nothing is left to fill in."""

    def row(chance: random.Random, person: tuple[str, str, str], moment: datetime) -> dict[str, str]:
        event = f"Email {chance.choice(SIX)}"
        names = ("2071", "hero, top") if event == "Email Link Clicked" else ("", "")
        lists = ("12", "Newsletter") if event == "Email Unsubscribed" else ("", "")
        subject = chance.choice(SUBJECTS)
        values = [person[1], event, "7743", subject, "5120", "weekly", *names, *lists, moment.isoformat()]
        return dict(zip(SEGMENT_COLUMNS, values, strict=True))

    return Unknown(
        file_name="ACME_loyalty_20240612_0410.csv",
        rows=_rows(row),
        quoting=csv.QUOTE_MINIMAL,
        draft={
            "name": "acme_loyalty",
            "files": r"ACME_loyalty_(?P<date>\d{8})_(?P<time>\d{4})\.csv",
            "kind": "events",
            "format": "csv",
            "encoding": "utf-8",
            "delimiter": ",",
            "quote": '"',
            "header": True,
            "event_column": "event",
            "event_codes": {f"Email {event}": f"Email {event}" for event in SIX},
            "columns": {name: name for name in SEGMENT_COLUMNS if name != "event"},
        },
    )


def segment_json() -> Unknown:
    """The same, one JSON object a line."""
    known = segment()
    draft = {key: value for key, value in known.draft.items() if key not in ("delimiter", "quote", "header")}
    files = r"ACME_loyalty_(?P<date>\d{8})_(?P<time>\d{4})\.ndjson"
    return known.but(file_name="ACME_loyalty_20240612_0410.ndjson", draft=draft | {"files": files, "format": "ndjson"})


SHAPES: Sequence[Callable[[], Unknown]] = (labelled, coded, clicks, sends, segment, segment_json)
