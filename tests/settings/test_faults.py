"""Every fault of the settings is told at once."""

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
    ) == (
        "SEGMENT_SOURCE_NAME: 'raw' would name the schema 'raw', which is taken; choose another name; "
        "SEGMENT_REGION: 'asia' is not 'us' or 'eu'; "
        "SEGMENT_EVENTS_PER_SECOND: '-5' is below 0; "
        "SEGMENT_CONNECTIONS: '0' is below 1; "
        "SEGMENT_ANONYMOUS_ID: 'md5' is not 'email' or 'sha256'; "
        "WAREHOUSE: is none of ducklake:sqlite:FILE, ducklake:postgres:DSN and FILE.duckdb; "
        "LEDGER: is no SQLAlchemy URL; it looks like sqlite:///data/ledger.sqlite; "
        "KEEP_SNAPSHOTS_DAYS: '0' is below 1"
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


def test_a_comment_does_not_become_part_of_every_id(environment: Environment) -> None:
    """As systemd and docker hand it on, which know no comments behind a value."""
    assert environment.refusal(MESSAGE_ID_NAMESPACE="acme.example # ours") == (
        "MESSAGE_ID_NAMESPACE: 'acme.example # ours' has a comment in it, which has to stand on a line of its own"
    )
    assert environment.load(MESSAGE_ID_NAMESPACE="acme#1").message_id_namespace == "acme#1"


def test_ids_are_of_the_namespace_and_else_of_the_source(environment: Environment) -> None:
    assert environment.load(SEGMENT_SOURCE_NAME="My Shop").message_id_namespace == "My Shop"
    assert environment.load(MESSAGE_ID_NAMESPACE="acme.example").message_id_namespace == "acme.example"
