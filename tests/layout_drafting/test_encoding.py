"""Guesses about the text of an export: packing, encoding, delimiter, quotes, header."""

import csv
import gzip
import io
import zipfile
from pathlib import Path

import fsspec
import pytest
import yaml

from pipeline.errors import InspectionRefused
from pipeline.exports.layout_files import read_layout
from pipeline.layout_drafting.file_head import HEAD_BYTES
from pipeline.layout_drafting.inspection import inspect
from tests.layout_drafting.drafting import Drafter, Guessed, lines
from tests.layout_drafting.unknown import clicks, labelled, segment
from tests.support.export_folder import Desk

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
    assert "(zip, which contains first.csv and 1 more, not read)" in text
    assert yaml.safe_load(text)["files"] == r"ACME_(?P<date>\d{8})"


def test_the_member_of_a_zip_that_is_looked_at_is_the_first_one_that_is_loaded(draft: Drafter) -> None:
    """Packers leave files of their own beside the export, and its parts in any order."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for scrap in (".DS_Store", "__MACOSX/._part1.csv", "out/.hidden.csv"):
            archive.writestr(scrap, b"\0\0\0\1Bud1")
        archive.writestr("part2.csv", b"no,header,here\n")
        archive.writestr("part1.csv", clicks().content)
    text = draft(target.getvalue(), "ACME_20240611.zip")
    assert "(zip, which contains part1.csv and 1 more, not read)" in text
    assert yaml.safe_load(text)["columns"] == clicks().draft["columns"]


@pytest.mark.parametrize(
    ("member", "words"),
    [("../a.csv", "a path outside of the archive"), ("[Content_Types].xml", "is an Excel workbook")],
)
def test_a_zip_that_would_not_be_loaded_is_not_drafted(draft: Drafter, member: str, words: str) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.csv", segment().content)
        archive.writestr(member, segment().content)
    with pytest.raises(InspectionRefused, match=words):
        draft(target.getvalue(), "ACME_20240611.zip")


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
    assert "#  column_1: column_1" in draft
    path = tmp_path / "draft.yml"
    filled = draft.replace("timezone: FILL_IN", "timezone: UTC").replace(": FILL_IN", ": Email Opened")
    path.write_text(filled.replace(": CHECK ", ": "), "utf-8")
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
        ("CUSTOMER_ID;MAIL;mail;OPEN_DT", "C-1;a@b.be;x;{}", "CUSTOMER_ID MAIL mail_3 OPEN_DT"),
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
    filled = draft.replace("timezone: FILL_IN", "timezone: UTC").replace(": FILL_IN", ": Email Opened")
    path.write_text(filled.replace(": CHECK ", ": "), "utf-8")
    desk.layouts = (read_layout(path),)
    (loaded,) = desk.load().files
    assert (loaded.rows, loaded.rejected) == (30, 0)


def test_a_header_that_ends_with_a_delimiter_as_each_row_does_is_one(guessed: Guessed) -> None:
    drafted = guessed(lines("CUSTOMER_ID;OPEN_DT;", *[f"C-{n};2024-06-11T09:15:10;" for n in range(9)]))
    assert drafted["header"] is True
    assert drafted["columns"] == {"CUSTOMER_ID": "user_id", "OPEN_DT": "timestamp"}


@pytest.mark.parametrize("header", ["CUSTOMER_ID;NAME;name;MAIL;OPEN_DT", "CUSTOMER_ID;;NAME;MAIL;OPEN_DT"])
def test_columns_that_no_layout_uses_may_have_one_name_or_none(guessed: Guessed, header: str) -> None:
    drafted = guessed(lines(header, *(f"C-{n};x;y;a{n}@b.be;2024-06-11T09:15:1{n}" for n in range(9))))
    assert drafted["header"] is True
    assert drafted["columns"] == {"CUSTOMER_ID": "user_id", "MAIL": "email", "OPEN_DT": "timestamp"}


def test_a_header_that_comes_again_with_each_page_is_a_header_all_the_same(draft: Drafter) -> None:
    page = ["CUSTOMER_ID,MAIL,OPEN_DT", "C-1,a@b.be,2024-06-11T09:15:10"]
    text = draft(lines(*page * 3))
    assert yaml.safe_load(text)["header"] is True
    assert "CHECK: the header row occurs 2 more times and is rejected" in text


OPENS = [f"C-{n} ; p{n}@example.com ; 2024-06-11T09:15:1{n}" for n in range(5)]


@pytest.mark.parametrize(
    "content",
    [
        lines("", "sep=;", "", "CUSTOMER_ID; MAIL ;OPEN_DT", *OPENS),
        lines("CUSTOMER_ID ; MAIL ; OPEN_DT", "------------;------;-----", *OPENS, "", "(5 rows affected)"),
        lines("CUSTOMER_ID;MAIL;OPEN_DT", *OPENS).replace("\n", "\r\r\n"),
        lines("CUSTOMER_ID;MAIL;OPEN_DT", *OPENS) + "\x1a",
    ],
    ids=["above", "below", "doubled", "ctrl-z"],
)
def test_what_stands_around_the_rows_is_no_row_as_it_is_none_for_a_run(draft: Drafter, content: str) -> None:
    text = draft(content)
    drafted = yaml.safe_load(text)
    assert "made from all of its 5 rows" in text and "will be rejected" not in text
    assert drafted["header"] is True
    assert drafted["columns"] == {"CUSTOMER_ID": "user_id", "MAIL": "email", "OPEN_DT": "timestamp"}


SWALLOWED = [f"E-{n}|{n}|Mail {n}|2024-06-10T09:00:{n:02}" for n in range(60)]
SWALLOWED[20] = 'E-20|20|"Mail 20|2024-06-10T09:00:20'
SWALLOWED[40] = 'E-40|40|Mail 40"|2024-06-10T09:00:40'


def test_quotes_between_which_whole_rows_stand_are_no_quotes(draft: Drafter) -> None:
    text = draft(lines("CUSTOMER_ID|MAIL_ID|SUBJECT|OPEN_DT", *SWALLOWED))
    assert "made from all of its 60 rows" in text
    assert "quote: null   # CHECK: values contain quotes, but few are enclosed in them" in text


def test_rows_that_go_under_in_a_quoted_file_are_reported(draft: Drafter) -> None:
    quoted = ['"{}"|"{}"|"{}"|"{}"'.format(*row.replace('"', "").split("|")) for row in SWALLOWED]
    quoted[20] = quoted[20].removesuffix('"')
    text = draft(lines("CUSTOMER_ID|MAIL_ID|SUBJECT|OPEN_DT", *quoted))
    assert yaml.safe_load(text)["quote"] == '"'
    assert "CHECK: quoted values that contain whole rows: 1" in text


def test_a_value_of_more_than_128_kilobytes_is_a_value(guessed: Guessed) -> None:
    rows = [f'C-{n},"{"é" * 100_000}",2024-06-11T09:15:1{n}' for n in range(3)]
    drafted = guessed(lines("CUSTOMER_ID,SUBJECT,OPEN_DT", *rows))
    assert drafted["columns"] == {"CUSTOMER_ID": "user_id", "SUBJECT": "email_subject", "OPEN_DT": "timestamp"}


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


@pytest.mark.parametrize("line", ['{"WHO":"A","WHO":"B"}', '{"WHO":"A","Who":"B"}', '{"WHO":"A","SCORE":NaN}'])
def test_lines_that_are_ambiguous_are_not_called_no_objects(draft: Drafter, line: str) -> None:
    with pytest.raises(
        InspectionRefused, match=r"each of its first lines repeats a key .* or contains NaN or Infinity"
    ):
        draft(f"{line}\n{line}\n", "ACME_export_20240611.ndjson")
