"""A layout that is wrong is refused as a whole, with the file, the key, and what would be right."""

from pathlib import Path

import pytest

from pipeline.errors import LayoutError, SettingsError
from pipeline.exports.layouts import Layout, read_layout, read_layouts

CLICKS = r"""
name: clicks
files: 'ACME_clicks_(?P<date>\d{8})(?P<time>\d{6})?\.txt'
kind: events
timezone: Europe/Brussels
event: Email Link Clicked
columns:
  CUSTOMER_KEY: user_id
  CLICK_DT: timestamp
"""
CODED = CLICKS.replace("event: Email Link Clicked", "event_column: WHAT\nevent_codes: {CLICK: Email Link Clicked}")
MEANINGS = (
    "campaign_id, campaign_name, email, email_id, email_subject, event_id, is_bot, link_id, link_name, list_id, "
    "list_name, selligent_user_id, send_id, timestamp, user_id"
)
EVENTS = "Email Bounced, Email Delivered, Email Link Clicked, Email Marked as Spam, Email Opened, Email Unsubscribed"


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    return tmp_path / "clicks.yml"


def read(path: Path, text: str) -> Layout:
    path.write_text(text, "utf-8")
    return read_layout(path)


def refusal(path: Path, text: str) -> str:
    with pytest.raises(LayoutError) as refused:
        read(path, text)
    return str(refused.value)


def changed(old: str, new: str, text: str = CLICKS) -> str:
    assert old in text
    return text.replace(old, new)


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


# What is refused, and in which words


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("name: clicks\n", "", "name: is missing"),
        ("name: clicks", "name: the clicks", "name: string should match pattern '^[A-Za-z0-9_.-]+$'"),
        ("kind: events\n", "", "kind: is missing"),
        ("kind: events", "format: xml\nkind: events", "format: 'xml' is not 'csv' or 'ndjson'"),
        (
            "timezone: Europe/Brussels",
            "timezone: Europe/Brusels",
            "timezone: 'Europe/Brusels' is no IANA time zone; did you mean 'Europe/Brussels'?",
        ),
        (
            "timezone: Europe/Brussels",
            "timezone: X",
            "timezone: 'X' is no IANA time zone; see the README for what is possible",
        ),
        (
            "timezone: Europe/Brussels",
            "datetime_formats: ['%d-%m-%Y %H:%M']",
            "timezone: missing; date-times without an offset need one, such as Europe/Brussels",
        ),
        (
            "timezone: Europe/Brussels",
            "datetime_formats: ['%d-%m-%Y %H:%M%z', '%d-%m-%Y %H:%M']",
            "timezone: missing; date-times without an offset need one, such as Europe/Brussels",
        ),
        (
            "(?P<time>",
            "(?P<tme>",
            "files: the group 'tme' is unknown; did you mean 'time'?",
        ),
        (
            "(?P<time>",
            "(?P<zzz>",
            "files: the group 'zzz' is unknown; it is one of date, md5, part, rows, time",
        ),
        (
            r"'ACME_clicks_(?P<date>\d{8})(?P<time>\d{6})?\.txt'",
            "clicks_(",
            "files: 'clicks_(' is no regular expression: missing ), unterminated subpattern at position 7",
        ),
        (
            "Email Link Clicked",
            "Email Clicked",
            "event: 'Email Clicked' is no event; did you mean 'Email Link Clicked'?",
        ),
        ("Email Link Clicked", "view", f"event: 'view' is no event; it is one of {EVENTS}"),
        ("event: Email Link Clicked\n", "", "event: give either 'event' or 'event_column' with 'event_codes'"),
        (
            "event: Email Link Clicked",
            "event: Email Opened\nevent_column: WHAT",
            "event: give either 'event' or 'event_column' with 'event_codes'",
        ),
        (
            "event: Email Link Clicked",
            "event: Email Opened\nevent_codes: {A: Email Opened}",
            "event_codes: they go with 'event_column', not with 'event'",
        ),
        (
            "event: Email Link Clicked",
            "event: Email Opened\nevent_codes_default: Email Opened",
            "event_codes: they go with 'event_column', not with 'event'",
        ),
        (
            "event: Email Link Clicked",
            "event_column: WHAT",
            "event_codes: missing; say which code of 'event_column' means which event",
        ),
        (
            "event: Email Link Clicked",
            "event_column: WHAT\nevent_codes: {A: Email Opend}",
            "event_codes: 'A': 'Email Opend' is no event; did you mean 'Email Opened'?",
        ),
        (
            "event: Email Link Clicked",
            "event_column: WHAT\nevent_codes_default: Email Opend",
            "event_codes_default: 'Email Opend' is no event; did you mean 'Email Opened'?",
        ),
        (
            "  CLICK_DT: timestamp\n",
            "",
            "columns: none means 'timestamp'; say which column tells when the event happened",
        ),
        (
            "  CUSTOMER_KEY: user_id\n",
            "",
            "columns: nothing tells the person; map 'user_id', 'email', or 'list_id' and 'selligent_user_id'",
        ),
        (
            "CUSTOMER_KEY: user_id",
            "USERID: selligent_user_id",
            "columns: nothing tells the person; map 'user_id', 'email', or 'list_id' and 'selligent_user_id'",
        ),
        (
            "CUSTOMER_KEY: user_id",
            "CUSTOMER_KEY: userid",
            "columns: 'CUSTOMER_KEY': 'userid' is no meaning; did you mean 'user_id'?",
        ),
        (
            "CUSTOMER_KEY: user_id",
            "CUSTOMER_KEY: whom",
            f"columns: 'CUSTOMER_KEY': 'whom' is no meaning; it is one of {MEANINGS}",
        ),
        (
            "CLICK_DT: timestamp",
            "CLICK_DT: timestamp\n  KEY: user_id",
            "columns: the meaning 'user_id' stands there twice",
        ),
        (
            "CLICK_DT: timestamp",
            "CLICK_DT: timestamp\n  click_dt: email",
            "columns: the column 'click_dt' stands there twice",
        ),
    ],
)
def test_each_fault_is_told_in_one_sentence(clicks: Path, old: str, new: str, sentence: str) -> None:
    assert refusal(clicks, changed(old, new)) == f"clicks.yml: {sentence}"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("delimeter: ';'", "delimeter: is unknown; did you mean 'delimiter'?"),
        (
            "xyz: 1",
            "xyz: is unknown; it is one of ambiguous_hour, columns, datetime_formats, delimiter, encoding, event, "
            "event_codes, event_codes_default, event_column, files, format, header, kind, name, null_values, quote, "
            "ready_marker, timezone",
        ),
        ("encoding: utf-9", "encoding: 'utf-9' is no encoding of texts that Python knows, such as utf-8"),
        ("encoding: rot13", "encoding: 'rot13' is no encoding of texts that Python knows, such as utf-8"),
        ("encoding: base64", "encoding: 'base64' is no encoding of texts that Python knows, such as utf-8"),
        ("delimiter: ''", "delimiter: is empty; it is what stands between two columns, such as ';'"),
        ("delimiter: '|\"|'", "delimiter: '\"' can't be the quote and stand in the delimiter '|\"|', too"),
        (r'delimiter: "\n"', "delimiter: a line break can't separate columns"),
        (r'delimiter: "\r"', "delimiter: a line break can't separate columns"),
        ("quote: ''", "quote: '' is not one character; write null where nothing is quoted"),
        ("quote: '<>'", "quote: '<>' is not one character; write null where nothing is quoted"),
        (r'quote: "\n"', r"quote: '\n' is not one character; write null where nothing is quoted"),
        ("header: false", "header: is neither true nor the list of column names of a file without a header"),
        ("header: []", "header: is neither true nor the list of column names of a file without a header"),
        ("header: KEY", "header: is neither true nor the list of column names of a file without a header"),
        ("header: [CLICK_DT, click_dt]", "header: the column name 'click_dt' stands there twice"),
        ("header: [CUSTOMER_KEY, DT]", "header: 'CLICK_DT' is used, but the list of column names has no such name"),
        ("ready_marker: a/b", "ready_marker: 'a/b' is no end of a file name, such as .trg"),
        ("null_values: NULL", "null_values: input should be a valid list"),
        ("ambiguous_hour: both", "ambiguous_hour: 'both' is not 'earlier', 'later' or 'reject'"),
        ("datetime_formats: ['%d-%m-%Y %Q']", "datetime_formats: '%d-%m-%Y %Q' has the unknown directive '%Q'"),
        ("datetime_formats: ['%d-%m-%Y %']", "datetime_formats: '%d-%m-%Y %' has the unknown directive '%'"),
        (
            "datetime_formats: ['%H:%M %m/%Y']",
            "datetime_formats: '%H:%M %m/%Y' has no day or no year; it looks like '%d-%m-%Y %H:%M:%S'",
        ),
        (
            "datetime_formats: ['%d.%m. %H:%M']",
            "datetime_formats: '%d.%m. %H:%M' has no day or no year; it looks like '%d-%m-%Y %H:%M:%S'",
        ),
        ("name: clicks", "the key 'name' stands there twice"),
    ],
)
def test_each_line_that_is_wrong_is_told_in_one_sentence(clicks: Path, line: str, sentence: str) -> None:
    where = "clicks.yml, line 10" if "key" in sentence else "clicks.yml"
    assert refusal(clicks, f"{CLICKS}{line}\n") == f"{where}: {sentence}"


def test_a_kind_that_is_none_is_told_with_those_there_are(clicks: Path) -> None:
    assert refusal(clicks, changed("kind: events", "kind: event")) == (
        "clicks.yml: kind: 'event' is not 'events', 'emails', 'campaigns', 'links', 'lists' or 'contacts'"
    )


@pytest.mark.parametrize("word", ["NO", "yes", "On", "true"])
def test_a_word_that_yaml_takes_for_yes_or_no_must_be_quoted(clicks: Path, word: str) -> None:
    """Norway's code is lost otherwise."""
    read_as = word in ("yes", "On", "true")
    for text in (
        changed("CLICK_DT: timestamp", f"CLICK_DT: timestamp\n  {word}: email"),
        changed("{CLICK: ", f"{{{word}: ", CODED),
        CLICKS + f"null_values: [{word}]\n",
    ):
        assert refusal(clicks, text).endswith(f"YAML read {read_as} here; put the word in quotes")
        read(clicks, text.replace(word, f"'{word}'"))


@pytest.mark.parametrize(
    ("kind", "columns", "sentence"),
    [
        ("emails", "{A: email_subject}", "columns: none means 'email_id', which is the key of emails"),
        ("campaigns", "{A: email_id}", "columns: none means 'campaign_id', which is the key of campaigns"),
        ("links", "{A: link_name}", "columns: none means 'link_id', which is the key of links"),
        ("lists", "{A: list_name}", "columns: none means 'list_id', which is the key of lists"),
        ("contacts", "{A: list_id, B: email}", "columns: none means 'selligent_user_id', which is the key of contacts"),
        ("contacts", "{A: selligent_user_id}", "columns: none means 'list_id', which is the key of contacts"),
        ("emails", "{A: email_id}", "columns: none means 'email_subject', which emails give"),
        ("campaigns", "{A: campaign_id}", "columns: none means 'campaign_name', which campaigns give"),
        ("links", "{A: link_id}", "columns: none means 'link_name', which links give"),
        ("lists", "{A: list_id, B: link_name}", "columns: none means 'list_name', which lists give"),
        (
            "contacts",
            "{A: list_id, B: selligent_user_id}",
            "columns: none means 'user_id' or 'email', which contacts give",
        ),
        ("lists", "{A: list_id, B: list_name}\nevent: Email Opened", "event: a lookup of lists has none; remove it"),
        ("lists", "{A: list_id, B: list_name}\nevent_column: X", "event: a lookup of lists has none; remove it"),
    ],
)
def test_a_lookup_maps_its_key_to_something(clicks: Path, kind: str, columns: str, sentence: str) -> None:
    text = f"name: lookup\nfiles: x\nkind: {kind}\ncolumns: {columns}\n"
    assert refusal(clicks, text) == f"clicks.yml: {sentence}"


def test_every_column_that_is_used_stands_in_the_list_of_names(clicks: Path) -> None:
    header = "header: [customer_key, click_dt]\n"
    assert read(clicks, CLICKS + header).header == ["customer_key", "click_dt"]
    assert refusal(clicks, CODED + header) == (
        "clicks.yml: header: 'WHAT' is used, but the list of column names has no such name"
    )


@pytest.mark.parametrize("pattern", ["%d-%M-%Y %H:%M:%S", "%d-%Y", "%d/%y %H:%M"])
def test_a_format_without_a_month_is_refused(clicks: Path, pattern: str) -> None:
    """%M is minutes: with such a format, every event of the year happened in January."""
    assert refusal(clicks, CLICKS + f"datetime_formats: ['{pattern}']\n").startswith("clicks.yml: datetime_formats: ")


@pytest.mark.parametrize(
    "lines",
    [
        "quote: ','",
        "delimiter: '\"'",
        "quote: '§'",
        r'delimiter: "\0"',
        "null_values: ['N,A']",
        "null_values: ['\"\"']",
    ],
    ids=["quote is delimiter", "delimiter is quote", "quote of two bytes", "NUL", "delimiter in null", "quote in null"],
)
def test_what_no_file_can_be_read_with_is_refused_before_the_first_file(clicks: Path, lines: str) -> None:
    """Otherwise each file is refused, in DuckDB's words instead of ours."""
    assert refusal(clicks, f"{CLICKS}{lines}\n").startswith(f"clicks.yml: {lines.partition(':')[0]}: ")


def test_all_faults_of_a_layout_are_told_at_once(clicks: Path) -> None:
    text = changed("name: clicks", "nam: clicks") + "delimiter: ''\nquote: ''\n"
    assert refusal(clicks, text) == (
        "clicks.yml: name: is missing; "
        "delimiter: is empty; it is what stands between two columns, such as ';'; "
        "quote: '' is not one character; write null where nothing is quoted; "
        "nam: is unknown; did you mean 'name'?"
    )


# What is no layout at all


@pytest.mark.parametrize("text", ["", "# nothing\n", "- name: clicks\n", "clicks\n"])
def test_a_file_that_is_no_mapping_is_refused(clicks: Path, text: str) -> None:
    assert refusal(clicks, text) == "clicks.yml: is empty or no mapping; a layout starts with 'name: …'"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: clicks\nnull_values: ['a\nkind: events\n", "line 4: found unexpected end of stream"),
        ("name: clicks\nkind: events\n kind: x\n", "line 3: mapping values are not allowed here"),
        ("name: clicks\nkind: events\nkind: lists\n", "line 3: the key 'kind' stands there twice"),
        ("name: clicks\ncolumns:\n  A: email\n  A: user_id\n", "line 4: the key 'A' stands there twice"),
        (
            "name: !!python/name:os.system x\n",
            "line 1: could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system'",
        ),
    ],
)
def test_what_is_no_yaml_is_told_with_its_line(clicks: Path, text: str, sentence: str) -> None:
    assert refusal(clicks, text) == f"clicks.yml, {sentence}"


@pytest.mark.parametrize("content", [b"name: \xe9t\xe9\n", b"name: a\x00b\n"])
def test_what_is_no_text_is_refused(clicks: Path, content: bytes) -> None:
    clicks.write_bytes(content)
    with pytest.raises(LayoutError, match=r"^clicks\.yml: is no YAML in UTF-8: "):
        read_layout(clicks)


@pytest.mark.parametrize(
    "line",
    ["? [a, b]\n: 1", "? {a: b}\n: 1", "name2: !!timestamp soon", "7: 1", "null: 1"],
    ids=["list as key", "mapping as key", "no timestamp", "number as key", "null as key"],
)
def test_yaml_that_python_stumbles_over_is_refused_like_any_other(clicks: Path, line: str) -> None:
    assert refusal(clicks, f"{CLICKS}{line}\n").startswith("clicks.yml")


def test_two_codes_that_are_one_text_stand_there_twice(clicks: Path) -> None:
    text = changed("{CLICK: Email Link Clicked}", "{30: Email Opened, '30': Email Bounced}", CODED)
    assert "stands there twice" in refusal(clicks, text)


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
        "b.yml: name: 'clicks' is another layout's name already; "
        "c.yml: is empty or no mapping; a layout starts with 'name: …'; "
        "d.yml: quote: '' is not one character; write null where nothing is quoted"
    )


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(LayoutError) as refused:
        read_layouts(tmp_path / "nowhere")
    assert str(refused.value) == f"SELLIGENT_LAYOUTS: there is no folder {tmp_path / 'nowhere'}"


def test_a_folder_without_a_layout_is_named(tmp_path: Path) -> None:
    with pytest.raises(LayoutError) as refused:
        read_layouts(tmp_path)
    assert str(refused.value) == f"SELLIGENT_LAYOUTS: {tmp_path} has no layout; one looks like clicks.yml"


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
