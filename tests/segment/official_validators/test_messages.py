"""Messages checked by validators that Segment publishes: they accept every message and read it as intended.

The other tests check rules that this project wrote down itself, so they would not notice a rule that was misread. Tests
also ensure that the validators reject invalid messages: one that accepts everything would prove nothing.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipeline.segment.outbox import cut
from tests.end_to_end.project import SCHEMA, Project
from tests.fakes.segment_rules import discard_code
from tests.segment.official_validators.validators import Validators, Verdict
from tests.support.modelled_tables import DATES, NOW, PROPERTIES, TABLES, Lake, Row, event_row

TAKEN = (None, None)
SHORT = (",", ":")
INTEGRATION = {"name": "Selligent Marketing Cloud", "version": "1"}
LIBRARY = {"name": "selligent-to-segment", "version": "1.0.0"}
SELLIGENT = {"list_id": "list_id", "user_id": "selligent_user_id", "send_id": "send_id", "is_bot": "is_bot"}

NAMES = {
    "email_subject": "First shirt on us!",
    "campaign_id": "123",
    "campaign_name": "New Customer Discount",
    "link_id": "101",
    "link_name": "https://www.buymyshirts.example?promo=NEWCUSTOMER&utm_source=mail",
    "list_id": "1425",
    "list_name": "New customers",
}
HOSTILE = '"},\n{"type":"track"} \\ \u2028\u2029\x85 \0\x1f\x7f \ufeff\ufffe'
KINDS: Mapping[str, Row] = {
    "a user id": {},
    "a user id and an email address": {"email": "pgibbons@example.com"},
    "an email address only": {"user_id": None, "email": "Joanna@Chotchkies.example"},
    "a user id that is an email address": {"user_id": "mwaddams@example.com"},
    "a user id that looks like a number": {"user_id": "00012"},
    "a user id with the type number": {"user_id": "1e5"},
    "a user id that is a word of JSON": {"user_id": "null", "email_id": "NaN", "campaign_id": "true"},
    "a contact of Selligent": {"list_id": "12", "selligent_user_id": "00815"},
    "ids without names": {key: text for key, text in NAMES.items() if key.endswith("_id")},
    "every name": NAMES,
    "nothing of the email": {"email_id": None},
    "empty texts": dict.fromkeys(["email", "email_id", *NAMES], ""),
    "a machine": {"is_bot": True},
    "no machine": {"is_bot": False},
    "a send id": {"send_id": "20240611-7"},
    "accents and emoji": dict.fromkeys(
        ["user_id", *NAMES], "Première chemise offerte à Łódź – 秒速５センチメートル 🎉"
    ),
    "hostile texts": dict.fromkeys(["user_id", "email", "send_id", *NAMES], HOSTILE),
    "the last moment before 1970": {"timestamp": "1969-12-31T23:59:59.999999+00:00"},
    "a time long ago": {"timestamp": "1899-12-31T00:00:00+00:00"},
    "a time far ahead": {"timestamp": "9998-12-30T23:59:59.999+00:00"},
    "a time elsewhere": {"timestamp": "2026-03-29T02:30:00.5+02:00"},
}


def messages_of(lake: Lake, rows: Sequence[Row]) -> list[str]:
    """What would be sent of these rows, in their order."""
    lake.stage(*rows)
    messages = cut_messages(lake)
    return [messages[row["id"]] for row in rows]


def cut_messages(lake: Lake) -> dict[str, str]:
    assert cut(lake.connection, SCHEMA, DATES, NOW).dead == 0
    return lake.payloads()


def meant(row: Row) -> dict[str, Any]:
    """The fields that the reader should read from a row; it omits those without a value."""

    def known(columns: Mapping[str, str]) -> dict[str, Any]:
        return {name: row[column] for name, column in columns.items() if row.get(column) is not None}

    # The reader's times have milliseconds.
    moment = datetime.fromisoformat(row["timestamp"]).astimezone(UTC).isoformat(timespec="milliseconds")
    in_utc = moment.replace("+00:00", "Z")
    email = row.get("email") or (row["user_id"] if "@" in (row["user_id"] or "") else None)
    everything = {
        "userId": row["user_id"],
        "anonymousId": row["email"] if row["user_id"] is None else None,
        "event": row["event_text"],
        "timestamp": in_utc,
        "moment": in_utc,
        "email": email,
        "properties": known({name: name for name in PROPERTIES[row["event_text"]]}),
        "context": {
            "integration": INTEGRATION,
            "library": LIBRARY,
            "traits": known({"email": "email"}),
            "selligent": known(SELLIGENT),
        },
    }
    return {key: value for key, value in everything.items() if value is not None}


def taken(**read: Any) -> Verdict:
    return Verdict(None, None, read)


def assert_kept_by_our_server(messages: Sequence[str]) -> None:
    assert {discard_code(json.loads(message), len(message.encode())) for message in messages} == {None}


# What is sent


def test_every_kind_of_message_is_taken_and_read_as_it_was_meant(plain: Lake, validators: Validators) -> None:
    kinds = [(kind, event) for kind in KINDS for event in PROPERTIES]
    rows = [event_row(number, event, **KINDS[kind]) for number, (kind, event) in enumerate(kinds)]
    messages = messages_of(plain, rows)

    assert len(messages) == 126
    assert dict(zip(kinds, validators.validate(messages), strict=True)) == {
        of: taken(**meant(row)) for of, row in zip(kinds, rows, strict=True)
    }
    assert_kept_by_our_server(messages)


def test_a_hashed_address_stands_in_for_a_user_id_and_the_address_is_still_read(
    plain: Lake, validators: Validators
) -> None:
    """As `SEGMENT_ANONYMOUS_ID=sha256` has it."""
    rows = [event_row(number, event, user_id=None, email="Ann@Example.com") for number, event in enumerate(PROPERTIES)]
    plain.stage(*rows)
    for table in TABLES.values():
        plain.query(f"UPDATE {SCHEMA}.{table} SET anonymous_id = sha256(lower(anonymous_id))")
    messages = cut_messages(plain)

    hashed = {"anonymousId": sha256(b"ann@example.com").hexdigest()}
    assert validators.validate([messages[row["id"]] for row in rows]) == [taken(**meant(row) | hashed) for row in rows]


@pytest.mark.parametrize("character", ["x", "é", '"', "🎉"])
def test_the_largest_event_that_is_sent_is_taken(plain: Lake, validators: Validators, character: str) -> None:
    """32,000 bytes in any script: to count characters instead of bytes would let far larger ones through."""
    (bare,) = messages_of(plain, [event_row(1, email_subject="")])
    width = len(json.dumps(character, ensure_ascii=False).encode()) - 2
    room = 32_000 - len(bare.encode())
    subject = character * (room // width) + "x" * (room % width)
    largest = event_row(2, email_subject=subject, user_id="user-1")
    (message,) = messages_of(plain, [largest])

    assert len(message.encode()) == 32_000
    assert validators.validate([message]) == [taken(**meant(largest))]


def test_a_text_that_is_a_date_is_sent_as_text_though_the_reader_makes_a_moment_of_it(
    plain: Lake, validators: Validators
) -> None:
    """Segment's own reader does this to every text; a sender can't prevent it."""
    (message,) = messages_of(plain, [event_row(1, campaign_name="2024-06-11", email_subject="2024-06-11: news")])
    assert '"campaign_name":"2024-06-11"' in message

    (verdict,) = validators.validate([message])
    assert verdict.refusals == TAKEN
    assert verdict.read is not None
    assert verdict.read["properties"] == {
        "email_id": "18vzF7u3z",
        "campaign_name": "2024-06-11T00:00:00.000Z",
        "email_subject": "2024-06-11: news",
    }


def drawn(what: st.SearchStrategy[Any], count: int) -> list[Any]:
    """So many random examples at once, validated in one process."""
    examples = []

    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate])
    @given(what)
    def draw(example: Any) -> None:
        examples.append(example)

    draw()
    return examples


characters = st.characters(exclude_categories=["Cs"])
texts = st.text(characters, max_size=40)
# Without an @: of a user id that looks like an address, the reader makes an address.
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="@"), min_size=1, max_size=40)
like_numbers = (
    st.integers(min_value=0).map(str)
    | st.integers(0, 10**9).map("{:012}".format)
    | st.floats().map(str)
    | st.sampled_from(["0", "-0", "1e5", "0x1F", "1_000", "Infinity", "true", "null", "undefined", "[object Object]"])
)
ids = st.none() | like_numbers | texts
people = st.fixed_dictionaries({"user_id": names | like_numbers, "email": st.none() | texts}) | st.fixed_dictionaries(
    {"user_id": st.none(), "email": st.text(characters, min_size=1, max_size=40) | st.emails()}
)
# Microseconds before and after 1970: from 1900 to the last day that is loaded.
SINCE_1900 = st.integers(-2_208_988_800_000_000, 253_370_678_400_000_000)
random_rows = st.tuples(
    people,
    st.fixed_dictionaries(
        {
            "event": st.sampled_from(list(PROPERTIES)),
            "timestamp": SINCE_1900.map(
                lambda of: (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=of)).isoformat()
            ),
            "is_bot": st.none() | st.booleans(),
            **dict.fromkeys(["email_id", "campaign_id", "link_id", "list_id", "selligent_user_id", "send_id"], ids),
            **dict.fromkeys(["email_subject", "campaign_name", "link_name", "list_name"], st.none() | texts),
        }
    ),
)


def test_a_thousand_random_events_are_taken_and_read_as_they_were_meant(plain: Lake, validators: Validators) -> None:
    """Texts of any Unicode, ids that look like numbers, any time since 1900."""
    rows = [event_row(number, **who, **what) for number, (who, what) in enumerate(drawn(random_rows, 1_000))]
    messages = messages_of(plain, rows)
    verdicts = validators.validate(messages)

    assert len(verdicts) == 1_000
    misread = [
        (message, verdict)
        for row, message, verdict in zip(rows, messages, verdicts, strict=True)
        if verdict != taken(**meant(row))
    ]
    assert min(misread, key=lambda of: len(of[0]), default=None) is None
    assert_kept_by_our_server(messages)


def test_everything_that_a_run_on_the_examples_sends_is_taken_and_read_as_the_tables_have_it(
    tmp_path: Path, validators: Validators
) -> None:
    """From export files through the real models, with hashed addresses."""
    project = Project(tmp_path, {"SEGMENT_ANONYMOUS_ID": "sha256"}).with_examples()
    project.run()
    bodies = [json.loads(path.read_bytes()) for path in (project.data / "dry_run").rglob("*.json")]
    messages = {message["messageId"]: message for body in bodies for message in body["batch"]}
    verdicts = validators.validate([json.dumps(message, ensure_ascii=False) for message in messages.values()])

    assert {verdict.refusals for verdict in verdicts} == {TAKEN}
    read = [(key, of.read) for key, of in zip(messages, verdicts, strict=True) if of.read is not None]
    columns = ("userId", "anonymousId", "event", "timestamp", "email")
    assert sorted((key, *(of.get(column) for column in columns)) for key, of in read) == project.query(
        "SELECT id, user_id, anonymous_id, event_text, strftime(timestamp, '%Y-%m-%dT%H:%M:%S.%gZ'), "
        f"context_traits_email FROM {SCHEMA}.tracks ORDER BY id"
    )


# What must be refused


def message(**changes: Any) -> dict[str, Any]:
    """A message within every rule, with changes; a key that is `...` is left out."""
    whole = {
        "type": "track",
        "messageId": "id-1",
        "userId": "u",
        "event": "Email Opened",
        "timestamp": "2026-03-01T09:30:00.000123Z",
        "properties": {},
    }
    return {key: value for key, value in {**whole, **changes}.items() if value is not ...}


NO_PERSON = 'You must pass either an "anonymousId" or a "userId".'
NO_ID = ".userId/anonymousId/previousId/groupId is nil"
ID_NOT_TEXT = ".userId/anonymousId/previousId/groupId is not a string"


# Changes to a message, and the errors of loosely-validate-event, analytics-core and the fake server.
CASES: Sequence[tuple[dict[str, Any], str | None, str | None, str | None]] = [
    ({}, None, None, None),
    ({"userId": ..., "anonymousId": "a@example.com"}, None, None, None),
    ({"type": "alias", "previousId": "p"}, None, None, None),
    # The person.
    ({"userId": ...}, NO_PERSON, NO_ID, "no_user_anon_id"),
    ({"userId": None}, NO_PERSON, NO_ID, "no_user_anon_id"),
    ({"userId": ""}, NO_PERSON, None, "id_not_string"),
    ({"userId": 0}, NO_PERSON, ID_NOT_TEXT, "id_not_string"),
    ({"userId": {}}, '"userId" must be a string or number.', ID_NOT_TEXT, "id_not_string"),
    ({"userId": 5}, None, ID_NOT_TEXT, "id_not_string"),
    ({"type": "identify", "traits": {}, "userId": ...}, NO_PERSON, NO_ID, "no_user_anon_id"),
    # The content.
    ({"event": ...}, 'You must pass an "event".', ".event is not a string", "event_not_defined"),
    ({"event": ""}, 'You must pass an "event".', None, "event_not_defined"),
    ({"event": 5}, '"event" must be a string.', ".event is not a string", "event_not_string"),
    ({"type": ...}, "You must pass an event type.", ".type is not a string", "type_unknown"),
    ({"type": "foo"}, 'Invalid event type: "foo"', None, "type_unknown"),
    ({"type": "group", "traits": {}}, 'You must pass a "groupId".', None, "id_required"),
    ({"type": "alias"}, 'You must pass a "previousId".', None, "id_required"),
    ({"properties": []}, None, ".properties is not an object", "properties_not_object"),
    ({"context": "x"}, '"context" must be an object.', None, "context_not_object"),
    ({"context": []}, '"context" must be an object.', None, "context_not_object"),
    ({"integrations": []}, '"integrations" must be an object.', None, "integrations_not_object"),
    ({"timestamp": "soon"}, '"timestamp" must be a date.', None, "timestamp_not_iso8601"),
    # A rule that only one of the three has.
    ({"messageId": ...}, None, ".messageId is not a string", "message_id_missing"),
    ({"messageId": 5}, None, ".messageId is not a string", "message_id_not_string"),
    ({"properties": ...}, None, ".properties is not an object", None),
]


@pytest.fixture(scope="module")
def refusals(validators: Validators) -> list[tuple[str | None, str | None]]:
    return [
        verdict.refusals for verdict in validators.validate([json.dumps(message(**changes)) for changes, *_ in CASES])
    ]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[str(case[0]) for case in CASES])
def test_what_a_message_may_not_be_is_refused_by_the_validators_and_lost_at_our_server(
    refusals: Sequence[tuple[str | None, str | None]], number: int
) -> None:
    changes, loosely, core, our_server = CASES[number]
    assert refusals[number] == (loosely, core)
    assert discard_code(message(**changes), 1_000) == our_server


@pytest.mark.parametrize("character", ["x", "é", "🎉"])
def test_a_validator_and_our_server_count_bytes_and_our_server_stops_earlier(
    validators: Validators, character: str
) -> None:
    """The validator takes "32 KB" for 32,768 bytes; Segment does not specify which, so our limit is the smaller one."""

    def of(number_of_bytes: int) -> str:
        bare = len(json.dumps(message(timestamp=..., properties={"text": ""}), ensure_ascii=False, separators=SHORT))
        width = len(character.encode())
        text = character * ((number_of_bytes - bare) // width) + "x" * ((number_of_bytes - bare) % width)
        whole = json.dumps(message(timestamp=..., properties={"text": text}), ensure_ascii=False, separators=SHORT)
        assert len(whole.encode()) == number_of_bytes
        return whole

    sizes = [32_000, 32_001, 32_674, 32_767, 32_768, 32_834]
    verdicts = validators.validate([of(size) for size in sizes])
    assert [verdict.loosely for verdict in verdicts] == [None] * 4 + ["Your message must be < 32kb."] * 2
    assert [discard_code(message(), size) for size in sizes] == [None] + ["event_too_large"] * 5


anything = st.sampled_from([..., None, "", "x", 0, 5, True, False, {}, [], {"x": 1}])
moments = st.sampled_from(["2026-03-01", "2026-03-01T09:30:00+0100", "2026-02-30", "1772357400", "soon"])
types = st.sampled_from(["track", "identify", "group", "alias", "page", "screen"])
FIELDS = ["event", "userId", "anonymousId", "groupId", "previousId", "properties", "context", "integrations"]
changes_of_a_field = (
    st.tuples(st.sampled_from(FIELDS), anything)
    | st.tuples(st.just("type"), types | anything)
    | st.tuples(st.just("timestamp"), moments | anything)
)
any_message = st.lists(changes_of_a_field, max_size=4).map(lambda changes: message(**dict(changes)))


def test_whatever_a_validator_refuses_our_server_does_not_keep(validators: Validators) -> None:
    """A fake server that accepts more than Segment would hide lost events from every other test."""
    messages = drawn(any_message, 1_000)
    verdicts = validators.validate([json.dumps(given) for given in messages])
    both = [(discard_code(given, 1_000), of.loosely, given) for given, of in zip(messages, verdicts, strict=True)]

    assert [of for of in both if of[0] is None and of[1] is not None] == []
    assert sum(code is None for code, *_ in both) > 100
    assert sum(reason is not None for _, reason, _ in both) > 100
