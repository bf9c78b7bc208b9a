"""Guesses one by one: packing, encoding, delimiter, quotes, header, nulls, date-times, kinds, names; and refusals."""

import csv
import gzip
import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.__main__ import main
from pipeline.errors import InspectionRefused, LayoutError, SettingsError
from pipeline.exports.inspecting.filenames import name_pattern
from pipeline.exports.inspecting.inspection import inspect
from pipeline.exports.inspecting.moments import moments_of
from pipeline.exports.inspecting.source import HEAD_BYTES
from pipeline.exports.layouts import read_layout
from pipeline.masking import masked, shown
from tests.exports.desk import Desk
from tests.exports.unknown import clicks, coded, labelled, segment, sends

EXAMPLES = Path(__file__).parents[2] / "examples"

Drafter = Callable[..., str]


@pytest.fixture
def draft(tmp_path: Path) -> Drafter:
    def of(content: str | bytes, name: str = "ACME_clicks_20240611.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return inspect(str(path))

    return of


@pytest.fixture
def guessed(draft: Drafter) -> Callable[..., dict[str, Any]]:
    def of(content: str | bytes, name: str = "ACME_clicks_20240611.csv") -> dict[str, Any]:
        return yaml.safe_load(draft(content, name))

    return of


Guessed = Callable[..., dict[str, Any]]


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


def open_rows(times: list[str]) -> str:
    return lines("CUSTOMER_KEY,OPEN_DT", *(f"C-{number},{time}" for number, time in enumerate(times)))


# Examples


@pytest.mark.parametrize("path", sorted((EXAMPLES / "exports").iterdir()), ids=lambda path: path.name)
def test_the_examples_are_drafted_as_their_layouts_say(path: Path) -> None:
    """The pattern but for the literal words, the kind, and what each column means."""
    base = path.name.removesuffix(".gz")
    layouts = [read_layout(layout) for layout in sorted((EXAMPLES / "layouts").iterdir())]
    (layout,) = [layout for layout in layouts if layout.pattern.fullmatch(base)]
    drafted = yaml.safe_load(inspect(str(path)))
    assert drafted["files"] == layout.files
    assert (drafted["kind"], drafted["format"]) == (layout.kind, layout.format)
    assert drafted["columns"] == layout.columns
    assert drafted.get("datetime_formats", []) == (layout.datetime_formats if layout.kind == "events" else [])
    assert drafted.get("event_column") == layout.event_column
    if layout.format == "csv":
        assert drafted["delimiter"] == layout.delimiter


# Packing and size


@pytest.mark.parametrize("packing", ["gzip", "zip"])
def test_a_packed_file_is_known_by_its_content_not_by_its_name(guessed: Guessed, packing: str) -> None:
    export = clicks().but(packing=packing)
    assert guessed(export.content, export.file_name) == export.draft


def test_only_the_head_of_a_huge_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    row = "C-1,zoe@example.com,2024-06-11T09:15:10\n"
    with path.open("wb") as file:
        file.write(b"CUSTOMER_KEY,MAIL,OPEN_DT\n")
        file.write(row.encode() * (HEAD_BYTES // len(row) * 2))
        file.truncate(10**12)  # a hole: nothing could read all of it
    assert "made from its first 2,000 rows" in inspect(str(path))


def test_a_row_that_the_sample_cuts_in_two_is_no_row(tmp_path: Path) -> None:
    subject = "é" * 3000
    path = tmp_path / "long.csv"
    path.write_text(lines("MAIL,SUBJECT,OPEN_DT", *[f'zoe@example.com,"{subject}",2024-06-11T09:15:10'] * 500), "utf-8")
    draft = inspect(str(path))
    assert "made from its first 34" in draft
    assert "rejected" not in draft


def test_a_quoted_value_that_the_sample_cuts_in_two_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    value = "two\nlines " * 300
    path.write_text(lines("MAIL,SUBJECT,OPEN_DT", *[f'a@example.com,"{value}",2024-06-11T09:15:10'] * 900), "utf-8")
    draft = inspect(str(path))
    assert yaml.safe_load(draft)["quote"] == '"'
    assert "will be rejected" not in draft


def test_a_zip_of_several_members_says_which_one_was_looked_at(draft: Drafter) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("empty.csv", b"")
        archive.writestr("first.csv", segment().content)
        archive.writestr("second.csv", segment().content)
    text = draft(target.getvalue(), "ACME_20240611.zip")
    assert "(zip, which holds first.csv and 1 more, not looked at)" in text
    assert yaml.safe_load(text)["files"] == r"ACME_(?P<date>\d{8})"


def test_a_file_may_be_a_url(tmp_path: Path) -> None:
    with fsspec.open("memory://out/ACME_loyalty_20240612_0410.csv", "wb") as file:
        file.write(segment().content)
    assert yaml.safe_load(inspect("memory://out/ACME_loyalty_20240612_0410.csv")) == segment().draft
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(segment().content))
    assert yaml.safe_load(inspect(f"file://{tmp_path}/a.csv.gz"))["columns"] == segment().draft["columns"]


# Encoding

WORDS = "Letní slevy právě začaly: až 30 % na všechno zboží, přijďte"
CYRILLIC = "Летняя распродажа уже началась: скидки до 30 % на всё"


@pytest.mark.parametrize(
    ("written", "encoding"),
    [
        ("utf-8-sig", "utf-8"),
        ("utf-8", "utf-8"),
        ("utf-16", "utf-16-le"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32-le"),
        ("windows-1252", "windows-1252"),
        ("iso-8859-1", "windows-1252"),
    ],
)
def test_the_encoding_is_told_by_mark_zeros_or_strictness(guessed: Guessed, written: str, encoding: str) -> None:
    assert guessed(clicks().text.encode(written))["encoding"] == encoding


def test_exotic_encodings_are_found_where_the_text_speaks_for_them(draft: Drafter) -> None:
    content = lines("MAIL_ID,SUBJECT", *(f"{number},{CYRILLIC}" for number in range(50))).encode("windows-1251")
    text = draft(content, "mails.csv")
    assert yaml.safe_load(text)["encoding"] == "windows-1251"
    assert "check that 'Летняя', 'распродажа', 'уже' read well" in text


def test_a_few_broken_characters_do_not_make_utf_8_another_encoding(draft: Drafter) -> None:
    content = lines("MAIL_ID,SUBJECT", *(f"{number},{WORDS}" for number in range(50))).encode()
    text = draft(content.replace("začaly".encode(), b"za\xffaly", 1), "mails.csv")
    assert yaml.safe_load(text)["encoding"] == "utf-8"
    assert "1 characters are broken" in text


# Delimiter, quotes, header


@pytest.mark.parametrize("delimiter", [",", ";", "|", "\t", "||", "~|~", "<~>", "|;|", "^^", "::"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_ALL, csv.QUOTE_MINIMAL, None])
def test_delimiters_of_any_length_are_found(guessed: Guessed, delimiter: str, quoting: int | None) -> None:
    rows = [row | {"SUBJECT": row["SUBJECT"].replace(",", ""), "LINK_NAME": "x"} for row in labelled().rows]
    export = labelled().but(packing=None, delimiter=delimiter, quoting=quoting, rows=rows)
    drafted = guessed(export.content, export.file_name)
    assert drafted["delimiter"] == delimiter
    assert drafted["columns"] == export.draft["columns"]
    if quoting == csv.QUOTE_ALL:
        assert drafted["quote"] == '"'
    if quoting is None:
        assert drafted["quote"] is None


def test_free_text_that_holds_the_delimiter_does_not_hide_it(draft: Drafter) -> None:
    """Unquoted exports do that: those rows are rejected, and the draft says how many."""
    rows = [row | {"SUBJECT": "soldes; été, oui" if n % 5 == 0 else "soldes"} for n, row in enumerate(labelled().rows)]
    export = labelled().but(packing=None, delimiter=";", quoting=None, rows=rows)
    text = draft(export.content, export.file_name)
    assert yaml.safe_load(text)["delimiter"] == ";"
    assert "with another number of columns, which will be rejected: 40." in text


def test_decimal_commas_are_no_delimiters(guessed: Guessed) -> None:
    rows = [f"12;88430{n % 10};5120;2024-06-11 09:14:40,{n:03}" for n in range(50)]
    assert guessed(lines(*rows))["delimiter"] == ";"


def test_columns_that_are_always_empty_make_no_longer_delimiter(guessed: Guessed) -> None:
    rows = [f"12|88430{n % 10}||5120|2024-06-11 09:14:40" for n in range(50)]
    assert guessed(lines(*rows))["delimiter"] == "|"


def test_quotes_inside_texts_are_no_quotes_around_values(guessed: Guessed) -> None:
    rows = [f'{number};"Zomer" is hier;{number}' for number in range(30)]
    assert guessed(lines("MAIL_ID;SUBJECT;X", *rows))["quote"] is None


def test_quotes_that_are_not_doubled_are_counted(draft: Drafter) -> None:
    rows = [f'"{number}";"de "grote" zomer";"x"' for number in range(30)]
    text = draft(lines('"MAIL_ID";"SUBJECT";"X"', *rows))
    assert yaml.safe_load(text)["quote"] == '"'
    assert "rows with quotes inside that are not doubled: 30" in text


def test_apostrophes_may_be_quotes(guessed: Guessed) -> None:
    rows = [f"'{number}','l''été, vite'" for number in range(30)]
    assert guessed(lines("'MAIL_ID','SUBJECT'", *rows))["quote"] == "'"


def test_columns_of_a_file_without_a_header_get_names_by_their_values(desk: Desk, tmp_path: Path) -> None:
    export = clicks().but(encoding="utf-8", header=False)
    desk.put(export.name, export.content)
    draft = inspect(str(desk.folder / export.name))
    drafted = yaml.safe_load(draft)
    names = ["column_1", "email", *(f"column_{number}" for number in range(3, 8)), "timestamp"]
    assert drafted["header"] == names
    assert drafted["columns"] == {"email": "email", "timestamp": "timestamp"}
    assert "# column_1: ?" in draft
    path = tmp_path / "draft.yml"
    path.write_text(draft.replace("timezone: FILL_IN", "timezone: UTC").replace(": FILL_IN", ": Email Opened"), "utf-8")
    desk.layouts = (read_layout(path),)
    (loaded,) = desk.load().files
    assert (loaded.rows, loaded.rejected) == (200, 0)


def test_codes_of_a_file_without_a_header_are_known_by_how_they_sound(guessed: Guessed) -> None:
    export = labelled().but(packing=None, header=False)
    drafted = guessed(export.content, export.file_name)
    assert drafted["event_column"] == "event_code"
    assert drafted["header"][6] == "event_code"
    assert drafted["event_codes"] == export.draft["event_codes"]


def test_words_that_come_again_below_are_no_names(guessed: Guessed) -> None:
    assert guessed(lines("VIEW;summer;x", *["CLICK;winter;y", "VIEW;autumn;z"] * 9))["header"] != True  # noqa: E712


@pytest.mark.parametrize(
    ("header", "row", "names"),
    [
        ("CUSTOMER_ID;NAME;name;MAIL;OPEN_DT", "C-1;x;y;a@b.be;{}", "CUSTOMER_ID NAME name_3 MAIL OPEN_DT"),
        ("CUSTOMER_ID;MAIL;OPEN_DT", "C-1;a@b.be;{};", "CUSTOMER_ID MAIL OPEN_DT column_4"),
    ],
)
def test_a_header_that_cannot_be_used_gives_its_names_all_the_same(
    desk: Desk, tmp_path: Path, header: str, row: str, names: str
) -> None:
    desk.put("opens.csv", lines(header, *(row.format(f"{day}-06-2024 9:05") for day in range(1, 31))))
    draft = inspect(str(desk.folder / "opens.csv"))
    assert yaml.safe_load(draft)["header"] == names.split()
    path = tmp_path / "draft.yml"
    path.write_text(draft.replace("timezone: FILL_IN", "timezone: UTC").replace(": FILL_IN", ": Email Opened"), "utf-8")
    desk.layouts = (read_layout(path),)
    (loaded,) = desk.load().files
    assert (loaded.rows, loaded.rejected) == (31, 1)


def test_a_header_that_ends_with_a_delimiter_as_each_row_does_is_one(guessed: Guessed) -> None:
    drafted = guessed(lines("CUSTOMER_ID;OPEN_DT;", *[f"C-{n};2024-06-11T09:15:10;" for n in range(9)]))
    assert drafted["header"] is True
    assert drafted["columns"] == {"CUSTOMER_ID": "user_id", "OPEN_DT": "timestamp"}


def test_a_line_before_the_header_is_not_taken_for_it(draft: Drafter) -> None:
    text = draft(lines("Export of 11 June", "CUSTOMER_ID;MAIL;OPEN_DT", *["C-1;a@b.be;2024-06-11T09:15:10"] * 9))
    assert yaml.safe_load(text)["header"] == ["column_1", "email", "timestamp"]
    assert "with another number of columns, which will be rejected: 1." in text


def test_a_header_alone_is_drafted_by_its_names(draft: Drafter) -> None:
    text = draft(labelled().but(packing=None).text.splitlines()[0] + "\n")
    drafted = yaml.safe_load(text)
    assert "its header alone: it has no rows" in text
    assert drafted["columns"] | {"USER_ID": "selligent_user_id"} == labelled().draft["columns"]
    assert drafted["event_codes"] == {"CODE": "FILL_IN"}


# Nothing


def test_words_for_nothing_are_found_where_they_are_frequent(guessed: Guessed) -> None:
    rows = [f"C-{n},{['n.v.t.', 'hero'][n % 2]},{['NULL', '2071'][n % 2]},\\N,2024-06-11T09:15:10" for n in range(20)]
    drafted = guessed(lines("CUSTOMER_KEY,LINK_NAME,LINK_ID,X,CLICK_DT", *rows, r"C-99,none,1,\N,2024-06-11T09:15:10"))
    assert set(drafted["null_values"]) == {"", "n.v.t.", "NULL", r"\N"}
    assert drafted["columns"]["LINK_ID"] == "link_id"


# Date-times


def test_day_and_month_that_cannot_be_told_apart_are_shown_both_ways(draft: Drafter) -> None:
    text = draft(open_rows([f"0{day}/0{month}/2024 10:00" for day in range(1, 9) for month in range(1, 9)]))
    assert yaml.safe_load(text)["datetime_formats"] == ["%d/%m/%Y %H:%M"]
    assert "CHECK: day or month first?" in text
    assert "#   datetime_formats: ['%m/%d/%Y %H:%M']; the file's name says 20240611" in text


@pytest.mark.parametrize(("one", "formats"), [("25/01", ["%d/%m/%Y %H:%M"]), ("01/25", ["%m/%d/%Y %H:%M"])])
def test_one_number_above_12_tells_them_apart(draft: Drafter, one: str, formats: list[str]) -> None:
    text = draft(open_rows(["01/02/2024 10:00", f"{one}/2024 10:00", "03/04/2024 10:00"]))
    assert yaml.safe_load(text)["datetime_formats"] == formats
    assert "CHECK" not in text


def test_iso_8601_needs_no_formats_and_offsets_no_zone(draft: Drafter) -> None:
    naive = draft(open_rows(["2024-06-11T09:15:10", "2024-06-11 09:15:10.01", "2024-06-11T09:15"]))
    assert yaml.safe_load(naive)["timezone"] == "FILL_IN"
    assert "datetime_formats: left out, this is ISO 8601" in naive
    offsets = yaml.safe_load(draft(open_rows(["2024-06-11T09:15:10Z", "2024-06-11 09:15:10.01+02:00"])))
    assert {"timezone", "datetime_formats"} & set(offsets) == set()
    mixed = yaml.safe_load(draft(open_rows(["2024-06-11T09:15:10Z", "2024-06-11 09:15:10"])))
    assert mixed["timezone"] == "FILL_IN"


FORMATS = [
    "%d-%m-%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%Y%m%d %H%M%S",
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y %I:%M:%S %p",
    "%d %b %Y %H:%M:%S",
    "%B %d, %Y %H:%M",
    "%d-%m-%Y %H:%M:%S.%f",
    "%d-%m-%Y %H:%M:%S%z",
    "%d-%m-%y %H:%M",
]
DAYS = st.datetimes(datetime.fromisoformat("2015-01-01"), datetime.fromisoformat("2029-12-31"))
MOMENTS = st.lists(DAYS, min_size=20, max_size=40)
LATE = [datetime.fromisoformat("2024-01-31T13:00"), datetime.fromisoformat("2024-12-28T00:30")]


@settings(deadline=None, max_examples=60)
@given(pattern=st.sampled_from(FORMATS), moments=MOMENTS)
def test_the_format_that_wrote_the_values_reads_them(pattern: str, moments: list[datetime]) -> None:
    days = [*moments, *LATE]
    written = [moment.strftime(pattern.replace("%z", "+02:00")) for moment in days]
    found = moments_of(written)
    assert found is not None
    assert (found.formats, found.exchanged, found.misfits) == ((pattern,), (), 0)


@settings(deadline=None, max_examples=60)
@given(pattern=st.sampled_from(FORMATS), moments=MOMENTS)
def test_what_is_drafted_is_what_duckdb_reads(
    draft_reads: Callable[..., list[datetime | None]], pattern: str, moments: list[datetime]
) -> None:
    days = [moment.replace(second=0, microsecond=0) for moment in [*moments, *LATE]]
    written = [moment.strftime(pattern.replace("%z", "+00:00")) for moment in days]
    expected = [datetime.strptime(text, pattern.replace("%z", "+00:00")) for text in written]  # noqa: DTZ007
    assert draft_reads(written) == expected


@pytest.fixture(scope="session")
def draft_reads(connection: Any) -> Callable[[list[str]], list[datetime | None]]:
    from pipeline.exports.datetimes import parsed
    from tests.exports.desk import layout

    def read(values: list[str]) -> list[datetime | None]:
        found = moments_of(values)
        assert found is not None
        times = parsed(layout(datetime_formats=list(found.formats)), "text")
        query = f"SELECT coalesce({times.naive}, timezone('UTC', {times.absolute})) FROM (SELECT unnest(?) AS text)"
        return [row[0] for row in connection.execute(query, [values]).fetchall()]

    return read


@pytest.mark.parametrize(
    "values", [["99120455"] * 9, ["884301", "12"], ["5120"], ["1718097310"], ["1.2.3", "x"], [], [""]]
)
def test_numbers_are_no_date_times(values: list[str]) -> None:
    assert moments_of(values) is None


def test_a_few_broken_date_times_are_counted(draft: Drafter) -> None:
    text = draft(open_rows([*["25-06-2024 10:00:00"] * 30, "31-02-2024 10:00:00", "soon"]))
    assert yaml.safe_load(text)["datetime_formats"] == ["%d-%m-%Y %H:%M:%S"]
    assert "values that don't fit and will be rejected: 2" in text


def test_the_time_of_the_event_is_told_from_other_times(guessed: Guessed) -> None:
    rows = [f"C-{n},2024-06-0{n},2024-06-0{n} 10:00:00,2024-06-0{n} 11:00:00,1980-01-0{n}" for n in range(1, 9)]
    drafted = guessed(lines("CUSTOMER_KEY,CREATED_DT,SENT_DT,CLICK_DT,BIRTHDATE", *rows))
    assert drafted["columns"] == {"CUSTOMER_KEY": "user_id", "CLICK_DT": "timestamp"}


# Meanings and codes


def columns(guessed: Guessed, header: str, *rows: str) -> dict[str, str]:
    return guessed(lines(header, *rows))["columns"]


def test_names_in_several_languages_are_understood(guessed: Guessed) -> None:
    dutch = columns(guessed, "KLANTNUMMER;E-mailadres;CAMPAGNE_ID;CAMPAGNENAAM;ONDERWERP;DATUM")
    assert list(dutch.values()) == ["user_id", "email", "campaign_id", "campaign_name", "email_subject", "timestamp"]
    french = columns(guessed, "id_client,courriel,id_campagne,nom_campagne,objet,id_lien,nom_lien,date")
    meant = ["user_id", "email", "campaign_id", "campaign_name", "email_subject", "link_id", "link_name", "timestamp"]
    assert list(french.values()) == meant


def test_selligents_user_id_is_told_from_the_customers_own_key(guessed: Guessed) -> None:
    row = "884301,2024-06-11T09:15:10"
    assert columns(guessed, "USERID,LISTID,OPEN_DT", "884301,12,2024-06-11T09:15:10")["USERID"] == "selligent_user_id"
    assert columns(guessed, "USERID,OPEN_DT", row)["USERID"] == "user_id"
    assert columns(guessed, "USERID,OPEN_DT", "C-1,2024-06-11T09:15:10")["USERID"] == "user_id"
    assert columns(guessed, "USERID,CUSTOMER_ID,OPEN_DT", "1,C-1,2024-06-11T09:15:10") == {
        "USERID": "selligent_user_id",
        "CUSTOMER_ID": "user_id",
        "OPEN_DT": "timestamp",
    }


def test_addresses_are_found_whatever_their_column_is_called_but_not_the_senders(guessed: Guessed) -> None:
    found = columns(
        guessed, "FROM_MAIL,X,OPEN_DT", *[f"shop@example.com,a{n}@b.org,2024-06-11T09:15:10" for n in range(9)]
    )
    assert found == {"X": "email", "OPEN_DT": "timestamp"}


def test_columns_that_nobody_knows_stay_out(draft: Drafter) -> None:
    text = draft(lines("CUSTOMER_KEY,OPEN_DT,SHOE_SIZE,BOT", "C-1,2024-06-11T09:15:10,abc,perhaps"))
    assert "  # SHOE_SIZE: ?" in text
    assert "# e.g. 'abc', kept in raw.events.extra" in text
    assert "its name says bot, but its values are none of 1/0, true/false, yes/no" in text


def test_a_code_is_never_guessed(draft: Drafter) -> None:
    text = draft(
        lines("CUSTOMER_KEY,EVENT,OPEN_DT", *["C-1,click,2024-06-11T09:15:10", "C-1,Email Opened,2024-06-11"] * 3)
    )
    assert yaml.safe_load(text)["event_codes"] == {"click": "FILL_IN", "Email Opened": "Email Opened"}


def test_codes_that_yaml_would_read_as_something_else_stay_what_they_are(guessed: Guessed) -> None:
    codes = ["yes", "010", "null!", "1e3", "~x", "a: b", "# c", "it's"]
    rows = [f"C-1\t{code}\t2024-06-11T09:15:10" for code in codes * 2]
    assert list(guessed(lines("CUSTOMER_KEY\tEVENT\tOPEN_DT", *rows))["event_codes"]) == codes


def test_seconds_since_1970_are_said_to_be_none_that_a_layout_can_describe(draft: Drafter) -> None:
    text = draft(lines("CUSTOMER_ID,TS", *(f"C-{n},{1718097310 + n}" for n in range(9))))
    assert "its name says date-time, but its values are none that a layout can describe" in text


def test_what_is_missing_is_said_and_refused(draft: Drafter, tmp_path: Path) -> None:
    text = draft(lines("CAMPAIGN_ID;COLOUR", "5120;red", "5121;blue"))
    assert "MISSING: no column was found that means timestamp or user_id" in text
    (tmp_path / "draft.yml").write_text(text.replace("FILL_IN", "UTC", 1), "utf-8")
    with pytest.raises(LayoutError):
        read_layout(tmp_path / "draft.yml")


# Lookups and aggregates


@pytest.mark.parametrize(
    ("name", "header", "row", "kind", "meant"),
    [
        ("x.csv", "MAIL_ID,SUBJECT,CREATED_DT", "{},Zomer,2024-06-11", "emails", ["email_id", "email_subject"]),
        ("x.csv", "JOURNEY_ID,JOURNEY_NAME,STATE", "{},NL,1", "campaigns", ["campaign_id", "campaign_name"]),
        ("x.csv", "SENSORID,SENSORNAME,MAILID", "{},hero,7743", "links", ["link_id", "link_name"]),
        ("x.csv", "LISTID,LISTNAME", "{},News", "lists", ["list_id", "list_name"]),
        ("x.csv", "LISTID,USERID,MAIL,CREATED_DT", "1,{},a@b.org,2024-06-11", "contacts", None),
        (
            "journeys_20240611.csv",
            "ID,NAME,START_DT",
            "{},NL,2024-06-11",
            "campaigns",
            ["campaign_id", "campaign_name"],
        ),
    ],
)
def test_lookups_are_known_by_their_columns(
    tmp_path: Path, name: str, header: str, row: str, kind: str, meant: list[str] | None
) -> None:
    path = tmp_path / name
    path.write_text(lines(header, *(row.format(number) for number in range(1, 30))), "utf-8")
    (tmp_path / "draft.yml").write_text(inspect(str(path)), "utf-8")
    layout = read_layout(tmp_path / "draft.yml")  # nothing is left to fill in
    assert layout.kind == kind
    assert list(layout.columns.values()) == (meant or ["list_id", "selligent_user_id", "email"])


@pytest.mark.parametrize(
    "header",
    ["DAY,CAMPAIGN_ID,SENT,DELIVERED,OPENS,CLICKS", "DATE,NB_CLICKS,UNIQUE_OPENS,BOUNCES", "X,SENT,DELIVERED,VIEWS"],
)
def test_daily_aggregates_are_no_events(draft: Drafter, header: str) -> None:
    numbers = ",".join(["10"] * header.count(","))
    with pytest.raises(InspectionRefused, match=r"^ACME_clicks_20240611.csv: holds counts \(.*it is an aggregate"):
        draft(lines(header, *(f"2024-06-{day},{numbers}" for day in range(10, 30))))


# Addresses


@pytest.mark.parametrize(
    "address",
    ["zoe@example.com", "o'neill@example.com", "zoë@exämple.net", "a.b+c@sub.example.co.uk", "x@localhost", "é@ü.be"],
)
@pytest.mark.parametrize("around", ["{}", "mail <{}>, please", "mailto:{}?x=1", '"{}"', "a|{}|b", "a~|~{}~|~b", "({})"])
def test_addresses_are_masked_wherever_they_stand(address: str, around: str) -> None:
    text = masked(around.format(address))
    assert address not in text
    assert f"***@{address.partition('@')[2]}" in text


def test_endless_values_are_no_burden(draft: Drafter) -> None:
    value = "a" * 120_000
    assert "made from all of its 9 rows" in draft(lines("CUSTOMER_ID;NOTE;MAIL", *[f"C-1;{value};zoe@example.com"] * 9))
    assert "made from all of its 2 rows" in draft(lines(*[f'{{"note": "{value * 5}", "mail": "zoe@example.com"}}'] * 2))


def test_addresses_in_urls_are_masked() -> None:
    assert masked("https://example.com/?u=zoe%40example.com") == "https://example.com/?u=z***%40example.com"


@given(
    st.text(max_size=30), st.integers(1, 40), st.text(st.characters(categories=["Ll", "Nd"]), min_size=2, max_size=9)
)
def test_no_cut_lets_an_address_escape_and_no_comment_breaks_its_line(text: str, length: int, name: str) -> None:
    line = shown(f"{text} {name}@example.com {text}", length)
    assert f" {name}@" not in line
    assert line.isprintable() or line == ""
    assert len(line) <= length
    assert yaml.safe_load(f"a: 1   # {line}\nb: 2") == {"a": 1, "b": 2}


def test_addresses_in_names_codes_and_nulls_are_masked_too(draft: Drafter) -> None:
    rows = ["1,zoe@example.com,zoe@example.com says hi,2024-06-11T09:15:10"] * 5
    text = draft(lines("CUSTOMER_KEY,EVENT,NOTE,OPEN_DT", *rows), "zoe@example.com_20240611.csv")
    assert "zoe@" not in text
    text = draft(
        lines(*['{"zoe@example.com": 1, "user_id": "C-1", "timestamp": "2024-06-11T09:15:10Z"}'] * 5), "x.ndjson"
    )
    assert "zoe@" not in text


# File names


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("clicks.csv", r"clicks\.csv"),
        ("ACME_clicks_20240611_0001.txt", r"ACME_clicks_(?P<date>\d{8})_(?P<part>\d+)\.txt"),
        ("a_20240611_063000_part2.csv.gz", r"a_(?P<date>\d{8})_(?P<time>\d{6})_part(?P<part>\d+)\.csv"),
        ("X-2024-06-11T0630_2372rows.txt", r"X-(?P<date>\d{4}-\d{2}-\d{2})T(?P<time>\d{4})_(?P<rows>\d+)rows\.txt"),
        ("a_20240611_2372.csv", r"a_(?P<date>\d{8})_(?P<rows>\d+)\.csv"),
        ("e_d41d8cd98f00b204e9800998ecf8427e_20240611.zip", r"e_(?P<md5>[0-9a-fA-F]{32})_(?P<date>\d{8})"),
        ("a b+c_20240611063000123.txt", r"a b\+c_(?P<date>\d{8})(?P<time>\d{6})\d{3}\.txt"),
        ("v2_20240611_3.csv", r"v2_(?P<date>\d{8})_(?P<part>\d+)\.csv"),
        ("clicks_11062024.csv", r"clicks_\d+\.csv"),
        ("discount12_20240611.csv", r"discount12_(?P<date>\d{8})\.csv"),
    ],
)
def test_what_changes_in_a_name_becomes_a_group(name: str, files: str) -> None:
    assert name_pattern(name, 2372).files == files


@given(st.from_regex(r"[A-Za-z0-9_. +()\[\]-]{1,30}", fullmatch=True))
def test_a_pattern_matches_the_name_that_it_was_made_from(name: str) -> None:
    pattern = name_pattern(name, None)
    base = re.sub(r"\.(gz|zip)$", "", name)
    assert re.fullmatch(pattern.files, base)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", pattern.name)


# Whatever stands in a file


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12) | st.sampled_from(
    ["NULL", "zoe@example.com", "2024-06-11T09:15:10", "VIEW", "30", "n.v.t.", "yes", "# x", "a: b", '"', "'", "\u2028"]
)


@settings(deadline=None, max_examples=150)
@given(data=st.data(), quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), delimiter=st.sampled_from(",;|\t"))
def test_any_file_becomes_valid_yaml_or_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, quoting: int, delimiter: str
) -> None:
    width = data.draw(st.integers(1, 5))
    rows = data.draw(st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=8))
    target = io.StringIO()
    csv.writer(target, delimiter=delimiter, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(target.getvalue().encode())
    try:
        draft = inspect(str(path))
    except InspectionRefused as refused:
        assert str(refused).startswith("any.csv: ")
        return
    drafted = yaml.safe_load(draft)
    assert {"name", "files", "kind", "columns"} <= set(drafted)
    assert "zoe@example.com" not in draft


# The command


def inspected(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pipeline", "inspect", *arguments], capture_output=True, text=True)


def test_the_command_prints_yaml_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / sends().name
    path.write_bytes(sends().content)
    answer = inspected(str(path))
    assert (answer.returncode, answer.stderr) == (0, "")
    assert yaml.safe_load(answer.stdout) == sends().draft


XLSX = io.BytesIO()
with zipfile.ZipFile(XLSX, "w") as _archive:
    _archive.writestr("xl/workbook.xml", "<workbook/>")

REFUSED = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\xef\xbb\xbf\r\n\r\n", "is empty"),
    "empty.csv.gz": (gzip.compress(b""), "is empty"),
    "cut.csv.gz": (gzip.compress(coded().content)[:-200], "can't be unpacked"),
    "a.csv.pgp": (b"\x85\x01\x0c\x03abc", "is encrypted or signed with PGP"),
    "armored.csv": (b"-----BEGIN PGP MESSAGE-----\n\nabc", "is encrypted or signed with PGP"),
    "book.xlsx": (XLSX.getvalue(), "is an Excel workbook"),
    "book.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1abc", "is an Excel workbook"),
    "binary.csv": (bytes(range(256)) * 9, "is no text"),
    "one.json": (b'[\n{"a": 1}\n]', "is one JSON document"),
    "words.txt": (b"just\nsome\nwords\n", "no delimiter"),
    "a.csv": (b"DAY,SENT,DELIVERED,OPENS\n2024-06-11,1,1,1\n", "it is an aggregate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_export_is_refused_in_one_line(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr("sys.argv", ["pipeline", "inspect", str(tmp_path / name)])
    assert main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"{name}: ")
    assert words in said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("missing.csv", "missing.csv: there is no such file"),
        ("memory://out/missing.csv", "missing.csv: there is no such file"),
        (".", "is a folder"),
        ("nosuch://user:secret@host/a.csv", "a.csv: can't be read (ValueError)"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    file: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["pipeline", "inspect", file])
    assert main() == 2
    said = capsys.readouterr()
    assert words in said.err
    assert "secret" not in said.err


def test_a_file_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["pipeline", "inspect"])
    assert main() == 2
    assert issubclass(InspectionRefused, SettingsError)


def test_the_readme_shows_what_the_command_prints() -> None:
    section = (EXAMPLES.parent / "README.md").read_text("utf-8").split("### From an unknown export to a layout")[1]
    excerpt = section.split("```yaml\n")[1].split("```")[0].splitlines()
    printed = inspect(str(EXAMPLES / "exports" / "ACME_interactions_20240611_0600.csv")).splitlines()
    assert [line for line in excerpt if line not in printed] == []
