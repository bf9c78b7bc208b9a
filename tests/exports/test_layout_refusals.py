"""A layout that is wrong is refused as a whole, with the file, the key, and what would be right."""

from pathlib import Path

import pytest

from pipeline.errors import LayoutError
from pipeline.exports.layout_files import read_layout
from tests.exports.layout_texts import CLICKS, CODED, changed, read

MEANINGS = (
    "campaign_id, campaign_name, email, email_id, email_subject, event_id, ip, is_bot, link_id, link_name, link_url, "
    "list_id, list_name, selligent_user_id, send_id, timestamp, user_agent, user_id"
)
EVENTS = "Email Bounced, Email Delivered, Email Link Clicked, Email Marked as Spam, Email Opened, Email Unsubscribed"


def refusal(path: Path, text: str) -> str:
    with pytest.raises(LayoutError) as refused:
        read(path, text)
    return str(refused.value)


# What is refused, and in which words


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("name: clicks\n", "", "name: is missing"),
        ("name: clicks", "name: the clicks", "name: string should match pattern '^[A-Za-z0-9_.-]+$'"),
        ("kind: events\n", "", "kind: is missing"),
        ("kind: events", "format: xml\nkind: events", "format: 'xml' is not 'csv', 'ndjson' or 'parquet'"),
        (
            "timezone: Europe/Brussels",
            "timezone: Europe/Brusels",
            "timezone: 'Europe/Brusels' is not an IANA time zone; did you mean 'Europe/Brussels'?",
        ),
        (
            "timezone: Europe/Brussels",
            "timezone: X",
            "timezone: 'X' is not an IANA time zone; see docs/layouts.md for what is possible",
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
            "files: the group 'zzz' is unknown; it is one of date, day, md5, month, part, rows, time, year",
        ),
        (
            r"'ACME_clicks_(?P<date>\d{8})(?P<time>\d{6})?\.txt'",
            "clicks_(",
            "files: 'clicks_(' is not a regular expression: missing ), unterminated subpattern at position 7",
        ),
        (
            "Email Link Clicked",
            "Email Clicked",
            "event: 'Email Clicked' is not an event; did you mean 'Email Link Clicked'?",
        ),
        ("Email Link Clicked", "view", f"event: 'view' is not an event; it is one of {EVENTS}"),
        ("event: Email Link Clicked\n", "", "event: give either 'event' or 'event_column' with 'event_codes'"),
        (
            "event: Email Link Clicked",
            "event: Email Opened\nevent_column: WHAT",
            "event: give either 'event' or 'event_column' with 'event_codes'",
        ),
        (
            "event: Email Link Clicked",
            "event: Email Opened\nevent_codes: {A: Email Opened}",
            "event_codes: belong to 'event_column', not to 'event'",
        ),
        (
            "event: Email Link Clicked",
            "event: Email Opened\nevent_codes_default: Email Opened",
            "event_codes: belong to 'event_column', not to 'event'",
        ),
        (
            "event: Email Link Clicked",
            "event_column: WHAT",
            "event_codes: missing; map each code of 'event_column' to its event",
        ),
        (
            "event: Email Link Clicked",
            "event_column: WHAT\nevent_codes: {A: Email Opend}",
            "event_codes: 'A': 'Email Opend' is not an event; did you mean 'Email Opened'?",
        ),
        (
            "event: Email Link Clicked",
            "event_column: WHAT\nevent_codes_default: Email Opend",
            "event_codes_default: 'Email Opend' is not an event; did you mean 'Email Opened'?",
        ),
        (
            "  CLICK_DT: timestamp\n",
            "",
            "columns: no column means 'timestamp'; map the column with the time of the event",
        ),
        (
            "  CUSTOMER_KEY: user_id\n",
            "",
            "columns: no column identifies a person; map 'user_id', 'email', or 'list_id' and 'selligent_user_id'",
        ),
        (
            "CUSTOMER_KEY: user_id",
            "USERID: selligent_user_id",
            "columns: no column identifies a person; map 'user_id', 'email', or 'list_id' and 'selligent_user_id'",
        ),
        (
            "CUSTOMER_KEY: user_id",
            "CUSTOMER_KEY: userid",
            "columns: 'CUSTOMER_KEY': 'userid' is not a meaning; did you mean 'user_id'?",
        ),
        (
            "CUSTOMER_KEY: user_id",
            "CUSTOMER_KEY: whom",
            f"columns: 'CUSTOMER_KEY': 'whom' is not a meaning; it is one of {MEANINGS}",
        ),
        (
            "CLICK_DT: timestamp",
            "CLICK_DT: timestamp\n  KEY: user_id",
            "columns: the meaning 'user_id' is repeated",
        ),
        (
            "CLICK_DT: timestamp",
            "CLICK_DT: timestamp\n  click_dt: email",
            "columns: the column 'click_dt' is repeated",
        ),
        (
            "CLICK_DT: timestamp",
            "CLICK_DT: timestamp\n  '\u200bclick_dt ': email",
            "columns: the column 'click_dt' is repeated",
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
            "event_codes, event_codes_default, event_column, files, format, header, kind, name, null_values, "
            "properties, quote, ready_marker, timezone, traits",
        ),
        ("encoding: utf-9", "encoding: 'utf-9' is not a text encoding that Python knows, such as utf-8"),
        ("encoding: rot13", "encoding: 'rot13' is not a text encoding that Python knows, such as utf-8"),
        ("encoding: base64", "encoding: 'base64' is not a text encoding that Python knows, such as utf-8"),
        ("delimiter: ''", "delimiter: is empty; it separates two columns, such as ';'"),
        ("delimiter: '|\"|'", "delimiter: '\"' can't be the quote and be in the delimiter '|\"|', too"),
        (r'delimiter: "\n"', "delimiter: a line break can't separate columns"),
        (r'delimiter: "\r"', "delimiter: a line break can't separate columns"),
        ("quote: ''", "quote: '' is not one character; write null if nothing is quoted"),
        ("quote: '<>'", "quote: '<>' is not one character; write null if nothing is quoted"),
        (r'quote: "\n"', r"quote: '\n' is not one character; write null if nothing is quoted"),
        ("header: false", "header: is neither true nor the list of column names of a file without a header"),
        ("header: []", "header: is neither true nor the list of column names of a file without a header"),
        ("header: KEY", "header: is neither true nor the list of column names of a file without a header"),
        ("header: [CLICK_DT, click_dt]", "header: the column name 'click_dt' is repeated"),
        ("header: [CUSTOMER_KEY, DT]", "header: 'CLICK_DT' is used, but the list of column names has no such name"),
        ("ready_marker: a/b", "ready_marker: 'a/b' is not a file name suffix, such as .trg"),
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
        ("name: clicks", "the key 'name' is repeated"),
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
        ("emails", "{A: email_subject}", "columns: no column means 'email_id', which is the key of emails"),
        (
            "campaigns",
            "{A: email_id}",
            "columns: no column means 'campaign_id', which is the key of campaigns; columns: no column means "
            "'campaign_name', which campaigns give",
        ),
        ("links", "{A: link_name}", "columns: no column means 'link_id', which is the key of links"),
        ("lists", "{A: list_name}", "columns: no column means 'list_id', which is the key of lists"),
        (
            "contacts",
            "{A: list_id, B: email}",
            "columns: no column means 'selligent_user_id', which is the key of contacts",
        ),
        (
            "contacts",
            "{A: selligent_user_id}",
            "columns: no column means 'list_id', which is the key of contacts; columns: no column means 'user_id' or "
            "'email', which contacts give",
        ),
        ("emails", "{A: email_id}", "columns: no column means 'email_subject', which emails give"),
        ("campaigns", "{A: campaign_id}", "columns: no column means 'campaign_name', which campaigns give"),
        ("links", "{A: link_id}", "columns: no column means 'link_name', which links give"),
        ("lists", "{A: list_id, B: link_name}", "columns: no column means 'list_name', which lists give"),
        (
            "contacts",
            "{A: list_id, B: selligent_user_id}",
            "columns: no column means 'user_id' or 'email', which contacts give",
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
        "delimiter: is empty; it separates two columns, such as ';'; "
        "quote: '' is not one character; write null if nothing is quoted; "
        "nam: is unknown; did you mean 'name'?"
    )


def test_all_faults_of_one_key_and_of_the_layout_as_a_whole_are_told_at_once(clicks: Path) -> None:
    codes = "event_codes: {A: Email Opend, B: FILL_IN}"
    text = changed("event_codes: {CLICK: Email Link Clicked}", codes, CODED).replace("timezone: Europe/Brussels\n", "")
    text += "datetime_formats: ['%d-%m %H:%M', '%d-%M-%Y %H:%M']\n  \nnull_values: ['a,b']\ntraits: {C: colour}\n"
    assert refusal(clicks, text).split("; ") == [
        "clicks.yml: datetime_formats: '%d-%m %H:%M' has no day or no year",
        "it looks like '%d-%m-%Y %H:%M:%S'",
        "datetime_formats: '%d-%M-%Y %H:%M' has no month (%m",
        "%M is minutes)",
        "it looks like '%d-%m-%Y %H:%M:%S'",
        "event_codes: 'A': 'Email Opend' is not an event",
        "did you mean 'Email Opened'?",
        f"event_codes: 'B': 'FILL_IN' is not an event; it is one of {EVENTS}".split("; ")[0],
        f"it is one of {EVENTS}",
        # Of the rest, what does not depend on a key that is wrong in itself:
        "traits: belong to a lookup of contacts",
        "events have properties",
        "null_values: 'a,b' contains the delimiter or the quote, so no value can equal it",
    ]


def test_what_depends_on_a_wrong_key_is_not_told(clicks: Path) -> None:
    """Without its wrong event, the layout would have none; without its wrong columns, no person."""
    assert refusal(clicks, changed("event: Email Link Clicked", "event: click")).count("event: ") == 1
    text = changed("CUSTOMER_KEY: user_id", "CUSTOMER_KEY: usr_id")
    text = changed("CLICK_DT: timestamp", "CLICK_DT: timestmp", text)
    assert refusal(clicks, text) == (
        "clicks.yml: columns: 'CUSTOMER_KEY': 'usr_id' is not a meaning; did you mean 'user_id'?; "
        "columns: 'CLICK_DT': 'timestmp' is not a meaning; did you mean 'timestamp'?"
    )


# What is no layout at all


@pytest.mark.parametrize("text", ["", "# nothing\n", "- name: clicks\n", "clicks\n"])
def test_a_file_that_is_no_mapping_is_refused(clicks: Path, text: str) -> None:
    assert refusal(clicks, text) == "clicks.yml: is empty or not a mapping; a layout starts with 'name: …'"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name: clicks\nnull_values: ['a\nkind: events\n", "line 4: found unexpected end of stream"),
        ("name: clicks\nkind: events\n kind: x\n", "line 3: mapping values are not allowed here"),
        ("name: clicks\nkind: events\nkind: lists\n", "line 3: the key 'kind' is repeated"),
        ("name: clicks\ncolumns:\n  A: email\n  A: user_id\n", "line 4: the key 'A' is repeated"),
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
    with pytest.raises(LayoutError, match=r"^clicks\.yml: is not YAML in UTF-8: "):
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
    assert "is repeated" in refusal(clicks, text)
