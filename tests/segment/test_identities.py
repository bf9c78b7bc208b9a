"""Identities of contacts go the way of events: cut once, sent, held, replayed, and dead with a reason."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from pipeline.catalog import IDENTIFIES
from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.segment.cut_rules import CutRules
from pipeline.segment.enqueue import Due, cut_due
from pipeline.segment.messages import MessageSource
from pipeline.segment.outbox import cut
from pipeline.segment.replay import revive, samples
from pipeline.settings import Settings
from pipeline.warehouse.declared_properties import DeclaredProperty
from tests.fakes.segment_rules import discard_code
from tests.support.modelled_tables import DATES, DAY, NOW, SCHEMA, Lake, event_row, id_of
from tests.support.sending import Sender

AT = datetime(2026, 3, 2, 1, 15, tzinfo=UTC)
TRAITS = (
    DeclaredProperty("Identifies", "firstName", "first_name", "text"),
    DeclaredProperty("Identifies", "points", "points", "integer"),
)


@pytest.fixture
def identities(plain: Lake) -> Lake:
    """The tables as dbt leaves them; a trait is declared, and one contact of two has it."""
    plain.connection.execute(
        "CREATE TABLE staging.identities (id UUID, export_date DATE, timestamp TIMESTAMPTZ, received_at TIMESTAMPTZ, "
        "user_id VARCHAR, email VARCHAR, traits JSON, list_id VARCHAR, selligent_user_id VARCHAR, revision BIGINT)"
    )
    for trait in TRAITS:
        plain.connection.execute("INSERT INTO raw.properties VALUES (?, ?, ?, ?)", list(vars(trait).values()))
    plain.connection.execute(
        f"""
        CREATE VIEW {SCHEMA}.identifies AS
        SELECT CAST(id AS VARCHAR) AS id, received_at, timestamp AS sent_at, timestamp AS original_timestamp, timestamp,
            user_id, CAST(NULL AS VARCHAR) AS anonymous_id, 'Selligent Marketing Cloud' AS context_integration_name,
            '1' AS context_integration_version, 'selligent-to-segment' AS context_library_name,
            '1.0.0' AS context_library_version, list_id AS context_selligent_list_id,
            selligent_user_id AS context_selligent_user_id, received_at AS uuid_ts, email,
            traits ->> '/firstName' AS first_name, CAST(traits ->> '/points' AS BIGINT) AS points
        FROM staging.identities
        """
    )
    return plain


def identify(lake: Lake, number: int, contact: str, revision: int = 1, **traits: Any) -> None:
    row = [
        str(UUID(int=number)),
        DAY,
        AT,
        NOW,
        f"user-{contact}",
        f"{contact}@example.com",
        json.dumps(traits),
        "12",
        contact,
    ]
    lake.connection.execute(f"INSERT INTO staging.identities VALUES ({', '.join('?' * 10)})", [*row, revision])


def due(lake: Lake, ledger: Ledger, *, on: bool = True) -> Due:
    settings = Settings(_env_file=None, segment_identify=on)  # type: ignore[call-arg]
    return cut_due(lake.connection, ledger, settings, DATES, NOW)


def standing(ledger: Ledger) -> tuple[int, int, int, int]:
    """Delivered, waiting, dead, held."""
    found = ledger.standing_of("identifies", DATES)
    return found.delivered, found.waiting, found.dead, found.held


def test_an_identify_call_is_what_its_row_says(identities: Lake, ledger: Ledger) -> None:
    identify(identities, 1, "ann", firstName="Ann", points=12)
    identify(identities, 2, "bob")
    due(identities, ledger)
    source = MessageSource(SCHEMA, declared={"Identifies": TRAITS})
    rows = identities.query(
        f"SELECT {source.message(IDENTIFIES)}, {source.message_bytes(IDENTIFIES)} FROM {SCHEMA}.identifies ORDER BY id"
    )
    ann, bob = (json.loads(text) for text, _ in rows)
    assert ann == {
        "type": "identify",
        "messageId": id_of(1),
        "userId": "user-ann",
        "timestamp": "2026-03-02T01:15:00.000000Z",
        "traits": {"email": "ann@example.com", "firstName": "Ann", "points": 12},
        "context": {
            "integration": {"name": "Selligent Marketing Cloud", "version": "1"},
            "library": {"name": "selligent-to-segment", "version": "1.0.0"},
            "selligent": {"list_id": "12", "user_id": "ann"},
        },
    }
    assert bob["traits"] == {"email": "bob@example.com"}
    assert [size for _, size in rows] == [len(text.encode()) for text, _ in rows]
    assert [discard_code(json.loads(text), size) for text, size in rows] == [None, None]


def test_an_identity_is_cut_once_and_only_if_it_is_asked_for(identities: Lake, ledger: Ledger) -> None:
    identify(identities, 1, "ann")
    assert "identifies" not in cut(identities.connection, SCHEMA, DATES, NOW).events
    assert due(identities, ledger).cut.events["identifies"] == 1
    identities.stage(event_row(2))
    again = due(identities, ledger)
    assert (again.cut.events["identifies"], again.cut.events["email_opened"]) == (0, 1)
    # The same content at another time, as after a corrected lookup.
    identities.connection.execute("UPDATE staging.identities SET timestamp = timestamp + INTERVAL 3 DAY")
    assert due(identities, ledger).cut.batches == 0
    assert standing(ledger) == (0, 1, 0, 0)


def test_the_warehouse_need_not_have_identities_yet(plain: Lake) -> None:
    plain.stage(event_row(1))
    assert cut(plain.connection, SCHEMA, DATES, NOW, CutRules(identify=True)).batches == 1


def test_identities_are_sent_in_batches(identities: Lake, sender: Sender, small_batches: None) -> None:
    for number in range(25):
        identify(identities, number, f"c{number}")
    due(identities, sender.ledger)
    sender.deliver("identifies")
    assert sender.server.received_ids == {id_of(number) for number in range(25)}
    assert not sender.server.dropped
    assert standing(sender.ledger) == (25, 0, 0, 0)


def test_a_waiting_call_is_dead_once_its_contact_has_changed(identities: Lake, sender: Sender) -> None:
    identify(identities, 1, "ann")
    identify(identities, 2, "bob")
    due(identities, sender.ledger)
    identify(identities, 3, "ann", revision=2, points=1)
    due(identities, sender.ledger)
    assert standing(sender.ledger) == (0, 2, 1, 0)
    revive(identities.connection, sender.ledger, DATES)
    due(identities, sender.ledger)
    sender.deliver("identifies")
    assert sender.server.received_ids == {id_of(2), id_of(3)}

    # What was delivered stays delivered.
    identify(identities, 4, "bob", revision=3, points=2)
    assert due(identities, sender.ledger).registered.withdrawn_too_late == 0
    assert standing(sender.ledger) == (2, 1, 1, 0)


def test_calls_are_held_while_the_setting_is_off(identities: Lake, sender: Sender) -> None:
    identify(identities, 1, "ann")
    identities.stage(event_row(2))
    due(identities, sender.ledger)
    due(identities, sender.ledger, on=False)
    assert standing(sender.ledger) == (0, 0, 0, 1)
    assert sender.ledger.waiting_dates() == {DAY}, "of the event"
    sender.deliver("email_opened")
    assert sender.ledger.waiting_dates() == set()
    due(identities, sender.ledger)
    sender.deliver("identifies")
    assert standing(sender.ledger) == (1, 0, 0, 0)


def test_a_call_that_segment_would_drop_is_dead(identities: Lake, ledger: Ledger) -> None:
    identify(identities, 1, "ann", firstName="x" * 32_000)
    due(identities, ledger)
    assert standing(ledger) == (0, 0, 1, 0)
    mirror_into(identities.connection, ledger, DATES)
    [(_, table, message, reason)] = samples(
        identities.connection,
        MessageSource(SCHEMA, declared={"Identifies": TRAITS}),
        ledger.dead_ids("identifies", EVERY_DATE),
        5,
    )
    assert (table, reason[:18]) == ("identifies", "message_too_large:")
    assert json.loads(message)["traits"] == json.loads(message)["userId"] == "***"


def test_a_person_who_was_listed_after_the_models_ran_is_not_identified(identities: Lake, ledger: Ledger) -> None:
    identify(identities, 1, "ann")
    identify(identities, 2, "bob")
    identities.connection.execute(
        "INSERT INTO raw.suppressed (kind, digest, listed_at) SELECT 'email', sha256('email:ann@example.com'), ?", [NOW]
    )
    assert due(identities, ledger).cut.events["identifies"] == 1
    identities.connection.execute(
        "INSERT INTO raw.suppressed (kind, digest, listed_at) SELECT 'user_id', sha256('user_id:user-bob'), ?", [NOW]
    )
    assert due(identities, ledger).registered.suppressed == 1
    assert standing(ledger) == (0, 0, 1, 0)
