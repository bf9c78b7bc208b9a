"""A layout is taken with every way to write it, alone or with others of its folder, and known by its fingerprint."""

from pathlib import Path

import pytest

from pipeline.errors import LayoutError, SettingsError
from pipeline.exports.layout_files import read_layouts
from tests.exports.layout_texts import CLICKS, CODED, changed, read

# What is taken


def test_what_a_layout_leaves_out_has_a_default(clicks: Path) -> None:
    layout = read(clicks, CLICKS)
    assert (layout.name, layout.kind, layout.event) == ("clicks", "events", "Email Link Clicked")
    assert layout.columns == {"CUSTOMER_KEY": "user_id", "CLICK_DT": "timestamp"}
    assert (layout.format, layout.encoding, layout.delimiter, layout.quote) == ("csv", "utf-8", ",", '"')
    assert (layout.header, layout.null_values, layout.ready_marker) == (True, [""], None)
    assert (layout.ambiguous_hour, layout.datetime_formats) == ("earlier", [])
    assert (layout.event_column, layout.event_codes, layout.event_codes_default) == (None, {}, None)


def test_the_layout_of_the_contract_is_read_but_for_what_comes_later(clicks: Path) -> None:
    layout = read(
        clicks,
        r"""
name: clicks
files: 'ACME_clicks_(?P<date>\d{8})(?P<time>\d{6})?(_(\d+))?\.(txt|csv)'
kind: events                 # events, or a lookup
format: csv
encoding: utf-8
delimiter: "\t"
quote: '"'
header: true
null_values: ['', 'NULL']
timezone: Europe/Brussels
ambiguous_hour: earlier
datetime_formats: ['%d-%m-%Y %H:%M:%S']
event_column: INTERACTION
event_codes: {VIEW: Email Opened, CLICK: Email Link Clicked, SENT: null}
event_codes_default: Email Link Clicked
columns:
  CUSTOMER_KEY: user_id
  MAIL: email
  CAMPAIGN_ID: campaign_id
  CAMPAIGN_NAME: campaign_name
  MAIL_ID: email_id
  PROBE_ID: link_id
  PROBE_NAME: link_name
  CLICK_DT: timestamp
""",
    )
    assert layout.delimiter == "\t"
    assert layout.event_codes == {"VIEW": "Email Opened", "CLICK": "Email Link Clicked", "SENT": None}
    assert layout.meanings == {
        "user_id",
        "email",
        "campaign_id",
        "campaign_name",
        "email_id",
        "link_id",
        "link_name",
        "timestamp",
    }


def test_numbers_are_read_as_the_text_that_stands_in_the_export(clicks: Path) -> None:
    text = changed("{CLICK: Email Link Clicked}", "{30: Email Opened, -1: null}", CODED)
    layout = read(clicks, changed("CUSTOMER_KEY", "7", text) + "header: [7, CLICK_DT, WHAT]\nnull_values: [0]\n")
    assert layout.event_codes == {"30": "Email Opened", "-1": None}
    assert layout.columns == {"7": "user_id", "CLICK_DT": "timestamp"}
    assert layout.header == ["7", "CLICK_DT", "WHAT"]
    assert layout.null_values == ["0"]


@pytest.mark.parametrize("code", ["010", "0x1E", "1_000", "12:30", "1.10"])
def test_a_code_that_yaml_takes_for_another_number_keeps_its_own_text(clicks: Path, code: str) -> None:
    """YAML reads 010 as 8: rows with 010 would be rejected as unknown, though the layout lists it."""
    layout = read(clicks, changed("{CLICK: ", f"{{{code}: ", CODED))
    assert layout.event_codes == {code: "Email Link Clicked"}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "UTF8", "utf-8-sig", "ascii", "utf-16", "utf-16-le", "windows-1252", "iso-8859-15", "cp037"]
)
def test_any_encoding_of_texts_will_do(clicks: Path, encoding: str) -> None:
    assert read(clicks, CLICKS + f"encoding: {encoding}\n").encoding == encoding


@pytest.mark.parametrize(
    "columns",
    [
        "{MAIL: email, DT: timestamp}",
        "{KEY: user_id, DT: timestamp}",
        "{LIST: list_id, USER: selligent_user_id, DT: timestamp}",
    ],
)
def test_a_person_is_told_by_key_or_address_or_list_and_selligent_id(clicks: Path, columns: str) -> None:
    start, _, _ = CLICKS.partition("columns:")
    assert "timestamp" in read(clicks, f"{start}columns: {columns}\n").meanings


def test_date_times_with_an_offset_need_no_zone(clicks: Path) -> None:
    formats = "datetime_formats: ['%Y-%m-%d %H:%M:%S%z', '%d.%m.%Y %H:%M %z']"
    assert read(clicks, changed("timezone: Europe/Brussels", formats)).timezone is None
    assert read(clicks, changed("timezone: Europe/Brussels", "")).timezone is None


def test_codes_may_all_mean_the_default(clicks: Path) -> None:
    text = changed("event_codes: {CLICK: Email Link Clicked}", "event_codes_default: Email Bounced", CODED)
    assert read(clicks, text).event_codes_default == "Email Bounced"


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("emails", "{ID: email_id, SUBJECT: email_subject}"),
        ("campaigns", "{ID: campaign_id, NAME: campaign_name}"),
        ("links", "{ID: link_id, NAME: link_name}"),
        ("lists", "{ID: list_id, NAME: list_name}"),
        ("contacts", "{LIST: list_id, USER: selligent_user_id, KEY: user_id, MAIL: email}"),
        ("contacts", "{LIST: list_id, USER: selligent_user_id, MAIL: email}"),
    ],
)
def test_a_lookup_needs_no_zone_and_no_event(clicks: Path, kind: str, columns: str) -> None:
    assert read(clicks, f"name: lookup\nfiles: x\nkind: {kind}\ncolumns: {columns}\n").kind == kind


# Folders


def test_the_layouts_of_a_folder_are_read_in_the_order_of_their_file_names(tmp_path: Path) -> None:
    (tmp_path / "b.yml").write_text(changed("name: clicks", "name: first"))
    (tmp_path / "c.yaml").write_text(changed("name: clicks", "name: second"))
    (tmp_path / "a.txt").write_text("no layout")
    assert [layout.name for layout in read_layouts(tmp_path)] == ["first", "second"]


def test_every_wrong_file_of_a_folder_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(CLICKS)
    (tmp_path / "b.yml").write_text(CLICKS)
    (tmp_path / "c.yml").write_text("")
    (tmp_path / "d.yml").write_text(changed("name: clicks", "name: d") + "quote: ''\n")
    with pytest.raises(LayoutError) as refused:
        read_layouts(tmp_path)
    assert str(refused.value) == (
        "b.yml: name: 'clicks' is already the name of another layout; "
        "c.yml: is empty or not a mapping; a layout starts with 'name: …'; "
        "d.yml: quote: '' is not one character; write null if nothing is quoted"
    )


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LayoutError) as refused:
        read_layouts(tmp_path / "nowhere")
    assert str(refused.value) == f"SELLIGENT_LAYOUTS: there is no folder {tmp_path / 'nowhere'}"


def test_a_folder_without_a_layout_is_named(tmp_path: Path) -> None:
    with pytest.raises(LayoutError) as refused:
        read_layouts(tmp_path)
    assert (
        str(refused.value) == f"SELLIGENT_LAYOUTS: {tmp_path} contains no layout; a layout is a file such as clicks.yml"
    )


def test_a_wrong_layout_is_a_wrong_setting() -> None:
    assert issubclass(LayoutError, SettingsError)


# Fingerprints


def test_a_layout_that_says_the_same_has_the_same_fingerprint(clicks: Path) -> None:
    first = read(clicks, CLICKS).fingerprint
    assert read(clicks, CLICKS + "# a comment\nquote: '\"'\n").fingerprint == first


@pytest.mark.parametrize(
    "line", ["quote: null", "delimiter: ;", "null_values: [x]", "ambiguous_hour: later", "format: ndjson"]
)
def test_a_layout_that_says_something_else_has_another_fingerprint(clicks: Path, line: str) -> None:
    first = read(clicks, CLICKS).fingerprint
    assert read(clicks, f"{CLICKS}{line}\n").fingerprint != first


def test_another_order_of_columns_that_changes_what_a_header_says_changes_the_fingerprint(clicks: Path) -> None:
    first = read(clicks, CLICKS + "header: [CUSTOMER_KEY, CLICK_DT]\n").fingerprint
    assert read(clicks, CLICKS + "header: [CLICK_DT, CUSTOMER_KEY]\n").fingerprint != first
