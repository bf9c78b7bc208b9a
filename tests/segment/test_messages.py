"""A message contains what its table's row contains: no more, no less, in JSON that Segment takes as it is."""

import itertools
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.catalog import EVENTS_BY_NAME
from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger
from pipeline.naming import snake_case
from pipeline.segment.bodies import BodyReader
from pipeline.segment.messages import MessageSource
from pipeline.segment.outbox import cut, cut_batches
from pipeline.warehouse import literal
from pipeline.warehouse.declared_properties import DeclaredProperty, by_event, declared_properties
from tests.fakes.segment_rules import discard_code
from tests.support.modelled_tables import DATES, NOW, PROPERTIES, SCHEMA, Lake, day, event_row, id_of

SPEC_EMAIL = {
    "email_id": "18vzF7u3z",
    "email_subject": "First shirt on us!",
    "campaign_id": "123",
    "campaign_name": "New Customer Discount",
}
SPEC_LINK = {
    "link_id": "101",
    "link_name": "https://www.buymyshirts.com?promo=NEWCUSTOMER",
    "link_url": "https://www.buymyshirts.com/shirts",
}
SPEC_LIST = {"list_id": "1425", "list_name": "New customers"}
WHO_SENDS = {
    "integration": {"name": "Selligent Marketing Cloud", "version": "1"},
    "library": {"name": "selligent-to-segment", "version": "1.0.0"},
}


def messages(lake: Lake, dates: ExportDates = DATES) -> dict[str, Any]:
    cut(lake.connection, SCHEMA, dates, NOW)
    return {key: json.loads(payload) for key, payload in lake.payloads(dates).items()}


def test_a_message_is_its_row_for_all_six_events(lake: Lake) -> None:
    """Every column filled: the ids are text although they look like numbers, and a bot is a boolean."""
    columns = {
        "user_id": "019mr8mf4r",
        "email": "pgibbons@example.com",
        "selligent_user_id": "00815",
        "send_id": "42",
        "is_bot": True,
        "ip": "8.8.8.8",
        "user_agent": "Mozilla/5.0 (iPhone)",
        **SPEC_EMAIL,
        **SPEC_LINK,
        **SPEC_LIST,
    }
    lake.stage(*(event_row(number, event, **columns) for number, event in enumerate(PROPERTIES)))
    found = messages(lake)

    assert len(found) == 6
    for number, event in enumerate(PROPERTIES):
        further = {"Email Link Clicked": SPEC_LINK, "Email Unsubscribed": SPEC_LIST}.get(event, {})
        assert found[id_of(number)] == {
            "type": "track",
            "messageId": f"00000000-0000-0000-0000-00000000000{number}",
            "userId": "019mr8mf4r",
            "event": event,
            "timestamp": f"2026-03-01T09:30:0{number}.000123Z",
            "properties": SPEC_EMAIL | further,
            "context": {
                **WHO_SENDS,
                "traits": {"email": "pgibbons@example.com"},
                "selligent": {"list_id": "1425", "user_id": "00815", "send_id": "42", "is_bot": True},
                "ip": "8.8.8.8",
                "userAgent": "Mozilla/5.0 (iPhone)",
            },
        }


def test_what_the_row_does_not_know_the_message_does_not_mention(plain: Lake) -> None:
    plain.stage(event_row(1, user_id=None, email="Joanna@Chotchkies.example", email_id=None, is_bot=False))
    (message,) = messages(plain).values()

    assert "null" not in plain.payloads()[id_of(1)]
    assert message.pop("anonymousId") == "Joanna@Chotchkies.example"
    assert "userId" not in message
    assert message["properties"] == {}
    assert message["context"]["traits"] == {"email": "Joanna@Chotchkies.example"}
    assert message["context"]["selligent"] == {"is_bot": False}


def test_text_is_utf_8_and_not_escaped(plain: Lake) -> None:
    r"""`\u` escapes would triple the size of accented text, against limits that count bytes."""
    subject = "Première chemise offerte à Łódź – 秒速５センチメートル 🎉"
    plain.stage(event_row(1, email_subject=subject))

    cut(plain.connection, SCHEMA, DATES, NOW)
    assert f'"email_subject":"{subject}"' in plain.payloads()[id_of(1)]


def test_the_timestamp_is_when_the_event_happened_in_utc_to_the_microsecond(plain: Lake) -> None:
    expected = {
        "2026-03-01T23:59:59.999999+00:00": "2026-03-01T23:59:59.999999Z",
        "2026-03-29T02:30:00+02:00": "2026-03-29T00:30:00.000000Z",
        "1969-12-31T23:59:59.5+00:00": "1969-12-31T23:59:59.500000Z",
        "2026-03-01T00:00:00+14:00": "2026-02-28T10:00:00.000000Z",
    }
    plain.stage(*(event_row(number, timestamp=moment) for number, moment in enumerate(expected)))
    found = messages(plain)
    assert [found[id_of(number)]["timestamp"] for number in range(4)] == list(expected.values())


HOSTILE = "'; DROP TABLE delivery.outbox; --"
NUMBERS = itertools.count(1)
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@settings(deadline=None, max_examples=20)
@given(
    subject=texts,
    name=texts,
    email=texts,
    link=texts,
    is_bot=st.none() | st.booleans(),
    user_id=st.text("aé0", min_size=1),
)
@example(subject='"},\n{"type":"track"', name="\\", email="\u2028\x1f", link=HOSTILE, is_bot=None, user_id='"\\u0000"')
@example(subject="null", name="", email="NaN", link="\r\n\t\b\f/", is_bot=True, user_id=" ")
def test_any_text_arrives_as_it_stands_in_the_table(
    plain_of_many_days: Lake,
    subject: str | None,
    name: str | None,
    email: str | None,
    link: str | None,
    is_bot: bool | None,
    user_id: str,
) -> None:
    lake, number = plain_of_many_days, next(NUMBERS)
    dates = day(number)
    columns = {"email_subject": subject, "campaign_name": name, "link_name": link}
    who = {"user_id": user_id, "email": email, "is_bot": is_bot}
    lake.stage(event_row(number, "Email Link Clicked", export_date=f"{dates.first}", **who, **columns))

    (message,) = messages(lake, dates).values()
    (payload,) = lake.payloads(dates).values()
    assert message["userId"] == user_id
    assert message["properties"] == {
        key: value for key, value in {"email_id": "18vzF7u3z", **columns}.items() if value is not None
    }
    assert message["context"]["traits"] == ({} if email is None else {"email": email})
    assert message["context"]["selligent"] == ({} if is_bot is None else {"is_bot": is_bot})
    assert "\n" not in payload, "a body is taken apart at the line breaks between messages"
    assert discard_code(message, len(payload.encode())) is None


@settings(deadline=None, max_examples=30)
@given(
    values=st.lists(texts | st.text('"\\\n\x01\x1f\x7f é🎉/\u2028', max_size=30), min_size=15, max_size=15),
    is_bot=st.none() | st.booleans(),
    event=st.sampled_from(list(PROPERTIES)),
    integrations=st.none() | st.dictionaries(st.text("aé\"'/ ", min_size=1), st.booleans(), max_size=3),
)
@example(values=[None] * 15, is_bot=None, event="Email Opened", integrations=None)
@example(values=["\x01"] * 15, is_bot=True, event="Email Unsubscribed", integrations={"All": False, "é/'": True})
def test_the_size_that_batches_are_cut_by_is_the_size_of_the_message(
    plain_of_many_days: Lake,
    values: list[str | None],
    is_bot: bool | None,
    event: str,
    integrations: dict[str, bool] | None,
) -> None:
    """Were it smaller, a batch could be larger than Segment takes."""
    lake, number = plain_of_many_days, next(NUMBERS)
    names = [*SPEC_EMAIL, *SPEC_LINK, "list_id", "list_name", "user_id", "email", "selligent_user_id", "send_id"]
    names += ["ip", "user_agent"]
    columns = {"is_bot": is_bot, "export_date": f"{day(number).first}"} | dict(zip(names, values, strict=True))
    lake.stage(event_row(number, event, **columns))
    source, kind = MessageSource(SCHEMA, integrations), EVENTS_BY_NAME[event]
    found = f"SELECT strlen({source.message(kind)}), {source.message_bytes(kind)} FROM {source.table(kind)}"
    ((size, computed),) = lake.query(f"{found} WHERE id = ?", id_of(number))
    assert computed == size


def declared(event: str, **types: str) -> dict[str, list[DeclaredProperty]]:
    return by_event(DeclaredProperty(event, name, snake_case(name), kind) for name, kind in types.items())


def test_properties_of_layouts_arrive_under_their_names_with_their_types(plain: Lake, ledger: Ledger) -> None:
    """Also where a column has a name that the query of the messages could have used itself."""
    types = {
        "bounceCode": "integer",
        "position": "number",
        "Is VIP": "boolean",
        "order": "timestamp",
        "message": "text",
    }
    properties = declared("Email Bounced", **types)
    plain.stage(event_row(1, "Email Bounced"), event_row(2, "Email Bounced"), event_row(3, "Email Opened"))
    register_in(plain, properties)
    plain.query(
        f"""UPDATE {SCHEMA}.email_bounced SET bounce_code = 552, "position" = 0.5, is_vip = false,
        "order" = TIMESTAMPTZ '2026-03-01 10:00:00+02', message = 'full' WHERE id = '{id_of(1)}'"""
    )
    plain.put_out(ledger)
    batches = cut_batches(plain.connection, DATES)
    source = MessageSource(SCHEMA, None, declared_properties(plain.connection))
    reader = BodyReader(plain.connection, source)
    found = {
        message["messageId"]: message["properties"]
        for batch in batches
        for body in reader.bodies([batch], [])
        for message in json.loads(b"[" + body.messages + b"]")
    }
    assert found == {
        id_of(1): {
            "email_id": "18vzF7u3z",
            "bounceCode": 552,
            "position": 0.5,
            "Is VIP": False,
            "order": "2026-03-01T08:00:00.000000Z",
            "message": "full",
        },
        id_of(2): {"email_id": "18vzF7u3z"},
        id_of(3): {"email_id": "18vzF7u3z"},
    }


def register_in(lake: Lake, properties: dict[str, list[DeclaredProperty]]) -> None:
    """The registry and the tables have these properties, as after a load."""
    for event, listed in properties.items():
        for one in listed:
            lake.query("INSERT INTO raw.properties VALUES (?, ?, ?, ?)", one.event, one.name, one.column, one.type)
            table = f"{SCHEMA}.{EVENTS_BY_NAME[event].table}"
            lake.query(f'ALTER TABLE {table} ADD COLUMN "{one.column}" {one.sql_type}')


KINDS = {
    "text": texts,
    "integer": st.none() | st.integers(-(2**53), 2**53),
    "number": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.none() | st.booleans(),
    "timestamp": st.none()
    | st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year < 9999).map(datetime.isoformat),
}
NAMES = st.text("aB é/~\"\\'{}", min_size=1, max_size=8).map(lambda name: f"a{name}")


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_the_size_of_a_message_with_properties_is_computed_to_the_byte(plain_of_many_days: Lake, data: Any) -> None:
    lake, number = plain_of_many_days, next(NUMBERS)
    names = data.draw(st.lists(NAMES, unique_by=snake_case, min_size=1, max_size=5))
    types = {name: data.draw(st.sampled_from(list(KINDS))) for name in names}
    values = {name: data.draw(KINDS[kind]) for name, kind in types.items()}
    lake.stage(event_row(number))
    source = MessageSource(SCHEMA, None, declared("Email Opened", **types))
    event = EVENTS_BY_NAME["Email Opened"]
    given = {name: None if value is None else str(value) for name, value in values.items()}
    row = ", ".join(
        f'CAST({literal(given[one.name])} AS {one.sql_type}) AS "{one.column}"'
        for one in source.declared["Email Opened"]
    )
    found = lake.query(
        f"SELECT {source.message(event)}, {source.message_bytes(event)} "
        f"FROM (SELECT *, {row} FROM {source.table(event)} WHERE id = '{id_of(number)}')"
    )
    [(message, computed)] = found
    assert len(message.encode()) == computed
    sent = json.loads(message)["properties"]
    assert set(sent) == {"email_id", *(name for name, value in values.items() if value is not None)}
    for name, value in values.items():
        if value is not None and types[name] != "timestamp":
            assert (sent[name], type(sent[name])) == (value, type(value))
