"""What can't be seen is no person, no key, no code and no part of a date-time; `raw` keeps it as it stands."""

import pytest

from tests.exports.formats.test_ndjson import NDJSON
from tests.support.export_folder import AT, CODED, CODED_COLUMNS, HEADER, UNIDENTIFIED, Reader

WHEN = "2024-06-11T09:15:10"


def test_a_nul_that_stands_for_an_empty_text_names_no_person(read: Reader) -> None:
    """As bcp writes them."""
    reading = read(
        f"{HEADER}C-1,\0,\0,{WHEN}\nC-2,p2@example.com,Hello,{WHEN}\n\0,\0,Hello,{WHEN}\n",
    )
    assert reading.counts == ("loaded", 3, 0, 1)
    assert reading.accepted("user_id", "email") == [("C-1", "\0"), ("C-2", "p2@example.com")]
    assert reading.reasons == [UNIDENTIFIED]


@pytest.mark.parametrize(
    "nothing",
    [
        "\t",
        "\u00a0",
        "\u200b",
        " ",
        "\ufeff",
        "\u00ad",
        "\u200e\u200f",
        "\u3000",
        "\x7f",
        "\x85",
        "\u2060",
        "\u3164",
        "\u202e \0",
    ],
)
def test_what_can_not_be_seen_names_no_person(read: Reader, nothing: str) -> None:
    reading = read(f"{HEADER}{nothing},{nothing},Soldes,{WHEN}\nC-2,,Soldes,{WHEN}\n")
    assert reading.counts == ("loaded", 2, 0, 1)
    assert reading.reasons == [UNIDENTIFIED]


def test_half_a_contact_is_no_person(read: Reader) -> None:
    columns = {"LIST": "list_id", "SID": "selligent_user_id", "AT": "timestamp"}
    reading = read(f"LIST,SID,AT\n12,\u200b,{WHEN}\n\0,7,{WHEN}\n12,7,{WHEN}\n", columns=columns)
    assert reading.reasons == [UNIDENTIFIED] * 2
    assert reading.accepted("list_id", "selligent_user_id") == [("12", "7")]


def test_in_json_a_text_without_anything_to_see_names_no_person(read: Reader) -> None:
    rows = "".join(f'{{"who": {who}, "when": "{WHEN}"}}\n' for who in (r'"\u0000"', r'"\ufeff\u200b"', '" "', '"C-1"'))
    reading = read(rows, **NDJSON)
    assert reading.reasons == [UNIDENTIFIED] * 3
    assert reading.accepted("user_id") == ["C-1"]


def test_the_words_nan_and_null_are_values_unless_the_layout_says_otherwise(read: Reader) -> None:
    """A person may be called Null; null_values is there for exports that mean nothing by it."""
    rows = f"{HEADER}NaN,,Soldes,{WHEN}\nNULL,,Soldes,{WHEN}\n"
    assert read(rows).accepted("user_id") == ["NaN", "NULL"]
    assert read(rows, null_values=["", "NaN", "NULL"]).reasons == [UNIDENTIFIED] * 2


@pytest.mark.parametrize("formats", [[], ["%Y-%m-%dT%H:%M:%S"], [" %Y-%m-%dT%H:%M:%S "]])
@pytest.mark.parametrize("text", [f"{WHEN}    ", f"\ufeff{WHEN}", f"\u200b{WHEN}\0"])
def test_a_date_time_is_read_without_what_pads_it(read: Reader, formats: list[str], text: str) -> None:
    """The mark stands before a date where files were joined whose first column it is."""
    reading = read(
        f"AT,WHO\n{WHEN},C-1\n{text},C-2\n", columns={"WHO": "user_id", "AT": "timestamp"}, datetime_formats=formats
    )
    assert reading.accepted("timestamp", "occurred_at") == [(WHEN, AT), (text, AT)]


def test_no_date_time_is_reported_where_nothing_can_be_seen_of_it(read: Reader) -> None:
    assert read(f"{HEADER}C-1,,Soldes,\u200b\n").reasons == ["no date-time in column OPENED_AT"]


def test_a_code_means_the_same_however_it_is_padded(read: Reader) -> None:
    rows = (
        f"CUSTOMER,MAIL,WHAT,OPENED_AT\nC-1,,OPEN      ,{WHEN}\nC-1,,SENT\0,{WHEN}\nC-1,,FWD  ,{WHEN}\nC-1,,  ,{WHEN}\n"
    )
    reading = read(rows, **CODED, columns=CODED_COLUMNS)
    assert reading.counts == ("loaded", 4, 1, 2)
    assert reading.accepted("event", "event_code") == [("Email Opened", "OPEN      ")]
    assert reading.reasons == [
        "unknown event code 'FWD' in column WHAT; list it in event_codes of layout opens",
        "no event code in column WHAT",
    ]


def test_a_code_that_is_listed_with_its_blanks_is_that_code(read: Reader) -> None:
    codes = {"OPEN ": "Email Link Clicked", "OPEN": "Email Opened"}
    rows = f"CUSTOMER,MAIL,WHAT,OPENED_AT\nC-1,,OPEN ,{WHEN}\nC-1,,OPEN,{WHEN}\nC-1,,OPEN  ,{WHEN}\n"
    reading = read(rows, **CODED | {"event_codes": codes}, columns=CODED_COLUMNS)
    assert reading.accepted("event") == ["Email Link Clicked", "Email Opened", "Email Opened"]


def test_a_key_of_a_lookup_that_can_not_be_seen_is_none(read: Reader) -> None:
    reading = read(
        "ID,NAME\nc1  ,Spring\n\0,Autumn\n\u200b ,Winter\n",
        kind="campaigns",
        event=None,
        timezone=None,
        columns={"ID": "campaign_id", "NAME": "campaign_name"},
    )
    assert [(row["campaign_id"], row["campaign_name"]) for row in reading.lookups] == [("c1  ", "Spring")]
    assert reading.reasons == ["no campaign_id"] * 2
