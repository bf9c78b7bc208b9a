"""DuckDB's parallel reader skips a line longer than its buffer of 32 MiB, without an error: such a row vanished."""

import pytest

from tests.support.export_folder import HEADER, NOT_DOUBLED, ZOE, Reader

TOO_LONG = "the row is longer than 2 MB"
JEF = "C-2,jef@example.com,Soldes,2024-06-11T09:15:10\n"
ZOE_AS_JSON = '{"CUSTOMER":"C-1","MAIL":"zoe@example.com","SUBJECT":"%s","OPENED_AT":"2024-06-11T09:15:10"}\n'


def row(subject: str) -> str:
    return ZOE.replace("Soldes", subject)


@pytest.mark.parametrize("megabytes", [3, 33, 70])
@pytest.mark.parametrize("quote", ["", '"'])
def test_a_row_of_any_length_is_rejected_and_its_neighbours_are_kept(read: Reader, megabytes: int, quote: str) -> None:
    long = row(quote + "x" * megabytes * 1_000_000 + quote)
    reading = read(HEADER + ZOE + long + JEF)
    assert reading.counts == ("loaded", 3, 0, 1)
    assert (reading.lines, reading.reasons) == ([3], [TOO_LONG])
    assert reading.all("user_id") == ["C-1", "C-2"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_long_line_of_json_is_rejected_and_its_neighbours_are_kept(read: Reader, end: str) -> None:
    content = ZOE_AS_JSON % "a" + "\n" + ZOE_AS_JSON % ("x" * 40_000_000) + ZOE_AS_JSON % "b" + "no json\n"
    reading = read(
        content.replace("\n", end),
        format="ndjson",
        columns={"CUSTOMER": "user_id", "SUBJECT": "email_subject", "OPENED_AT": "timestamp"},
    )
    assert reading.counts == ("loaded", 4, 0, 2)
    assert reading.lines == [3, 5]
    assert reading.reasons == [TOO_LONG, "the line is not a JSON object"]
    assert [subject for subject in reading.all("email_subject") if subject] == ["a", "b"]


def test_a_quoted_value_of_millions_of_lines_is_one_row(read: Reader) -> None:
    """With 20 million line breaks, DuckDB took all of the machine's memory."""
    reading = read(HEADER + ZOE + row('"' + "y\n" * 20_000_000 + '"') + JEF + "half\n")
    assert reading.counts == ("loaded", 4, 0, 2)
    assert reading.lines == [3, 20_000_004 + 1]
    assert reading.reasons[0] == TOO_LONG


def test_a_quote_that_is_closed_megabytes_later_takes_no_rows_along(read: Reader) -> None:
    swallowed = row("x" * 1_000) * 3_000
    reading = read(HEADER + row('"stray') + swallowed + row('stray"') + JEF)
    assert reading.counts == ("loaded", 3_003, 0, 1)
    assert (reading.lines, reading.reasons) == ([2], [NOT_DOUBLED])


def test_quotes_inside_unquoted_values_do_not_mislead_the_count(read: Reader) -> None:
    reading = read(HEADER + row('5" screen') + row('"two\nlines"') + row('6" screen') + row('7" screen') + "half\n")
    assert reading.counts == ("loaded", 5, 0, 1)
    assert reading.lines == [7]
    assert reading.all("email_subject") == ['5" screen', "two\nlines", '6" screen', '7" screen']
