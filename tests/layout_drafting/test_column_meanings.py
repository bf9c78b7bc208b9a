"""Guesses about what an export says: the meanings of columns and codes, lookups, aggregates, file names."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import InspectionRefused, LayoutError
from pipeline.exports.layout_files import read_layout
from pipeline.layout_drafting.file_name_pattern import name_pattern
from pipeline.layout_drafting.inspection import inspect
from tests.layout_drafting.drafting import Drafter, Guessed, lines

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
    assert yaml.safe_load(text)["columns"] == {"CUSTOMER_KEY": "user_id", "OPEN_DT": "timestamp"}
    assert "#  SHOE_SIZE: shoe_size   # e.g. 'abc'" in text
    assert "they are kept in raw.events.extra, and not sent" in text
    assert "its name says bot, but its values are neither of 1/0 nor of yes and no" in text


def test_a_code_is_never_guessed_without_being_refused(draft: Drafter, tmp_path: Path) -> None:
    text = draft(
        lines("CUSTOMER_KEY,EVENT,OPEN_DT", *["C-1,click,2024-06-11T09:15:10", "C-1,Email Opened,2024-06-11"] * 3)
    )
    assert yaml.safe_load(text)["event_codes"] == {"click": "CHECK Email Link Clicked", "Email Opened": "Email Opened"}
    (tmp_path / "draft.yml").write_text(text.replace("FILL_IN", "UTC"), "utf-8")
    with pytest.raises(LayoutError, match="'click': 'CHECK Email Link Clicked' is a proposal"):
        read_layout(tmp_path / "draft.yml")


def test_codes_that_yaml_would_read_as_something_else_stay_what_they_are(guessed: Guessed) -> None:
    codes = ["yes", "010", "null!", "1e3", "~x", "a: b", "# c", "it's"]
    rows = [f"C-1\t{code}\t2024-06-11T09:15:10" for code in codes * 2]
    assert list(guessed(lines("CUSTOMER_KEY\tEVENT\tOPEN_DT", *rows))["event_codes"]) == codes


def test_seconds_since_1970_are_left_to_the_reader(draft: Drafter) -> None:
    text = draft(lines("CUSTOMER_ID,TS", *(f"C-{n},{1718097310 + n}" for n in range(9))))
    assert "CHECK: its name says date-time, but its values are in no known format" in text


def test_a_missing_meaning_is_reported_and_refused(draft: Drafter, tmp_path: Path) -> None:
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
    with pytest.raises(InspectionRefused, match=r"^ACME_export_20240611.csv: contains counts \(.*it is an aggregate"):
        draft(lines(header, *(f"2024-06-{day},{numbers}" for day in range(10, 30))))


# Objects


def test_values_inside_of_objects_have_meanings_and_arrays_have_none(draft: Drafter) -> None:
    person = '{"id": "C-1", "email": "p1@example.com"}'
    text = draft(
        lines(
            *(
                f'{{"event": "open", "ts": "2024-06-10T09:15:1{n}+02:00", "mail": {person}, "campaign": ["a@b.be"]}}'
                for n in range(5)
            )
        )
    )
    assert yaml.safe_load(text)["columns"] == {"ts": "timestamp", "/mail/id": "email_id", "/mail/email": "email"}
    assert re.search(
        r"# campaign: \? +# CHECK: its values are arrays; a JSON pointer that ends in a number, from 0", text
    )


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
        ("v2_20240611_3.csv", r"v2_(?P<date>\d{8})_\d+\.csv"),
        ("v2_20240611_1.csv", r"v2_(?P<date>\d{8})_(?P<part>\d+)\.csv"),
        ("clicks_20240611.CSV.GZ", r"clicks_(?P<date>\d{8})\.CSV"),
        ("clicks_11062024_001.csv", r"clicks_(?P<day>\d{2})(?P<month>\d{2})(?P<year>\d{4})_(?P<part>\d+)\.csv"),
        ("clicks 31.12.2024.csv", r"clicks (?P<day>\d{2})\.(?P<month>\d{2})\.(?P<year>\d{4})\.csv"),
        ("clicks_31022024.csv", r"clicks_\d+\.csv"),
        ("discount12_20240611.csv", r"discount12_(?P<date>\d{8})\.csv"),
    ],
)
def test_what_changes_in_a_name_becomes_a_group(name: str, files: str) -> None:
    assert name_pattern(name, 2372).files == files


@pytest.mark.parametrize(
    "name", ["c18_20240611_3.csv", "c18_20240611_1.csv", "c18_20240611_0002.csv", "c_20240611_20.csv"]
)
def test_a_short_number_behind_the_date_is_for_the_reader_to_judge(name: str) -> None:
    """Taken for a part, an export waits for its first part, for ever where there is none."""
    assert any(note.startswith("CHECK: ") for note in name_pattern(name, 20).notes)


@pytest.mark.parametrize(("name", "is_doubtful"), [("c_11062024.csv", True), ("c_31-12-2024.csv", False)])
def test_a_date_with_the_day_first_is_for_the_reader_to_judge_if_it_could_be_a_month(
    name: str, is_doubtful: bool
) -> None:
    found = name_pattern(name, None)
    assert found.date in ("20240611", "20241231")
    assert any("read with the day first" in note for note in found.notes) == is_doubtful


@given(st.from_regex(r"[A-Za-z0-9_. +()\[\]-]{1,30}", fullmatch=True))
def test_a_pattern_matches_the_name_that_it_was_made_from(name: str) -> None:
    pattern = name_pattern(name, None)
    base = re.sub(r"\.(gz|zip)$", "", name, flags=re.IGNORECASE)
    assert re.fullmatch(pattern.files, base)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", pattern.name)
