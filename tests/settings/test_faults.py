"""All faults of the settings are reported at once."""

import pytest

from tests.settings.environment import Environment


def test_every_fault_is_told_at_once(environment: Environment) -> None:
    assert environment.refusal(
        SEGMENT_SOURCE_NAME="raw",
        SEGMENT_REGION="asia",
        SEGMENT_EVENTS_PER_SECOND="-5",
        SEGMENT_CONNECTIONS="0",
        SEGMENT_ANONYMOUS_ID="md5",
        WAREHOUSE="somewhere",
        LEDGER="nothing",
        KEEP_SNAPSHOTS_DAYS="0",
        KEEP_RUNS_DAYS="0",
    ) == (
        "SEGMENT_SOURCE_NAME: 'raw' would name the schema 'raw', which is taken; choose another name; "
        "SEGMENT_REGION: 'asia' is not 'us' or 'eu'; "
        "SEGMENT_EVENTS_PER_SECOND: '-5' is below 0; "
        "SEGMENT_CONNECTIONS: '0' is below 1; "
        "SEGMENT_ANONYMOUS_ID: 'md5' is not 'email' or 'sha256'; "
        "WAREHOUSE: is not one of ducklake:sqlite:FILE, ducklake:postgres:DSN and FILE.duckdb; "
        "LEDGER: is not a SQLAlchemy URL such as sqlite:///data/ledger.sqlite; "
        "KEEP_SNAPSHOTS_DAYS: '0' is below 1; "
        "KEEP_RUNS_DAYS: '0' is below 1"
    )


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ("-5", "'-5' is below 0"),
        ("1.5", "'1.5' is not a whole number"),
        ("many", "'many' is not a whole number"),
        ("1e3", "'1e3' is not a whole number"),
    ],
)
def test_a_ceiling_is_a_whole_number(environment: Environment, value: str, rest: str) -> None:
    assert environment.refusal(SEGMENT_EVENTS_PER_SECOND=value) == f"SEGMENT_EVENTS_PER_SECOND: {rest}"


def test_a_ceiling_of_zero_is_no_ceiling_but_there_is_one_connection_at_least(environment: Environment) -> None:
    assert environment.load(SEGMENT_EVENTS_PER_SECOND="0").segment_events_per_second == 0
    assert environment.load(SEGMENT_CONNECTIONS="1").segment_connections == 1
    assert environment.refusal(SEGMENT_CONNECTIONS="0") == "SEGMENT_CONNECTIONS: '0' is below 1"


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("Raw", "'Raw' would name the schema 'raw', which is taken; choose another name"),
        ("staging", "'staging' would name the schema 'staging', which is taken; choose another name"),
        ("Delivery!", "'Delivery!' would name the schema 'delivery', which is taken; choose another name"),
        (
            "Information Schema",
            "'Information Schema' would name the schema 'information_schema', which is taken; choose another name",
        ),
        ("日本", "'日本' has no ASCII letter or digit to name a schema with"),
        ("-", "'-' has no ASCII letter or digit to name a schema with"),
        ("Email opened", "'Email opened' has the same snake case as the event table 'email_opened'"),
    ],
)
def test_a_source_name_that_makes_no_schema_is_refused(environment: Environment, name: str, rest: str) -> None:
    assert environment.refusal(SEGMENT_SOURCE_NAME=name) == f"SEGMENT_SOURCE_NAME: {rest}"


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ("acme.example # ours", "contains a comment, which must be on a line of its own; a namespace contains no #"),
        ("acme.example# ours", "contains a comment, which must be on a line of its own; a namespace contains no #"),
        ("acme#1", "contains a comment, which must be on a line of its own; a namespace contains no #"),
        ('"acme.example"', "has quotes around it"),
        (" acme.example", "has spaces around it or invisible characters in it"),
        ("acme\u200b.example", "has spaces around it or invisible characters in it"),
    ],
)
def test_what_a_file_adds_to_a_value_does_not_become_part_of_every_id(
    environment: Environment, value: str, rest: str
) -> None:
    """As systemd and docker hand it on, which know neither quotes nor comments behind a value."""
    assert environment.refusal(MESSAGE_ID_NAMESPACE=value) == f"MESSAGE_ID_NAMESPACE: {value!r} {rest}"


JINJA = ['{{ env_var("HOME") }}', "{% raw %}", "shop {# 1 #}"]
TEXTS = [
    "SELLIGENT_EXPORTS",
    "SELLIGENT_LAYOUTS",
    "SELLIGENT_SUPPRESSED",
    "SEGMENT_SOURCE_NAME",
    "SEGMENT_WRITE_KEY",
    "SEGMENT_REGION",
    "SEGMENT_ENDPOINT",
    "SEGMENT_INTEGRATIONS",
    "SEGMENT_PUBLIC_API",
    "SEGMENT_PUBLIC_API_TOKEN",
    "MESSAGE_ID_NAMESPACE",
    "WAREHOUSE",
    "WAREHOUSE_FILES",
    "LEDGER",
    "ALERT_WEBHOOK",
]


@pytest.mark.parametrize("name", TEXTS)
def test_no_setting_is_a_template_of_dbt(environment: Environment, name: str) -> None:
    for value in JINJA:
        brackets = next(each for each in ("{{", "{%", "{#") if each in value)
        refusal = environment.refusal(**{name: value})
        assert refusal == f"{name}: contains {brackets}, which dbt would interpret as a template"


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("character", ["\t", "\n", "\x1b", "\x7f", "\x85", "\u2028"])
def test_no_setting_has_a_control_character(environment: Environment, name: str, character: str) -> None:
    refusal = environment.refusal(**{name: f"two{character}parts"})
    assert refusal == f"{name}: contains a control character, such as a line break or a tab"


@pytest.mark.parametrize("name", ["SELLIGENT_EXPORTS", "SELLIGENT_LAYOUTS", "WAREHOUSE", "WAREHOUSE_FILES", "LEDGER"])
def test_a_path_that_is_not_utf8_is_called_a_path(environment: Environment, name: str) -> None:
    refusal = environment.refusal(**{name: "/srv/caf\udce9/exports"})
    assert refusal == f"{name}: is a path that is not UTF-8; rename its folder or file"


def test_folders_that_no_setting_names_are_utf8_too(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "/srv/caf\udce9")
    assert environment.refusal() == (
        "DAGSTER_HOME: b'/srv/caf\\xe9' is a path that is not UTF-8; rename or move the folder"
    )
    monkeypatch.setenv("DAGSTER_HOME", "/srv/café")
    environment.load()


def test_an_env_file_that_cannot_be_read_is_named(environment: Environment) -> None:
    environment.env_file.write_bytes(b"SEGMENT_SOURCE_NAME=Caf\xe9\n")
    assert environment.refusal() == ".env: is not UTF-8 (byte 24); save it as UTF-8"


def test_the_last_line_break_of_a_file_is_no_part_of_a_setting(environment: Environment) -> None:
    found = environment.load(SEGMENT_WRITE_KEY="abcdefgh\n", SEGMENT_SOURCE_NAME="My Shop\r\n")
    assert found.segment_write_key is not None
    assert found.segment_write_key.get_secret_value() == "abcdefgh"
    assert found.segment_source_name == "My Shop"
    assert environment.refusal(SEGMENT_WRITE_KEY="\n") == "SEGMENT_WRITE_KEY: contains only a line break"


@pytest.mark.parametrize(
    "key", ["ab cd", " abc", "abc\u200b", "\ufeffabc", "abc\u00a0", "ключ", "clé", '"abc"', "'abc'", "abc:"]
)
def test_a_write_key_that_was_not_copied_well_is_refused(environment: Environment, key: str) -> None:
    """Segment answers 200 to any key, and the events are gone."""
    assert environment.refusal(SEGMENT_WRITE_KEY=key) == (
        "SEGMENT_WRITE_KEY: has a character that no key has; copy it again"
    )


def test_a_key_of_a_few_characters_is_refused(environment: Environment) -> None:
    assert environment.refusal(SEGMENT_WRITE_KEY="a") == (
        "SEGMENT_WRITE_KEY: is shorter than any key (1 of at least 8 characters); copy it again"
    )
    assert environment.refusal(
        SEGMENT_WRITE_KEY="abcdefgh", SEGMENT_PUBLIC_API_TOKEN="abcdefg", SEGMENT_SOURCE_ID="s"
    ) == ("SEGMENT_PUBLIC_API_TOKEN: is shorter than any token (7 of at least 8 characters); copy it again")


def test_ids_are_of_the_namespace_and_else_of_the_source(environment: Environment) -> None:
    assert environment.load(SEGMENT_SOURCE_NAME="My Shop").message_id_namespace == "My Shop"
    assert environment.load(MESSAGE_ID_NAMESPACE="acme.example").message_id_namespace == "acme.example"


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ("yesterday", "'yesterday' is not a date such as 2024-01-01"),
        ("11/06/2024", "'11/06/2024' is not a date such as 2024-01-01"),
        ("2024-02-30", "'2024-02-30' is not a date such as 2024-01-01"),
        ("9999-01-01", "9999-01-01 is in the future"),
    ],
)
def test_the_first_export_date_is_a_date_of_the_past(environment: Environment, value: str, rest: str) -> None:
    assert environment.refusal(FIRST_EXPORT_DATE=value) == f"FIRST_EXPORT_DATE: {rest}"


def test_dates_from_the_first_export_date_to_today_can_be_loaded(environment: Environment) -> None:
    assert str(environment.load().loadable_dates().first) == "2024-01-01"
    assert str(environment.load(FIRST_EXPORT_DATE="2019-12-24").loadable_dates().first) == "2019-12-24"
