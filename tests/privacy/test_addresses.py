"""SEGMENT_TRAITS_EMAIL and SEGMENT_ANONYMOUS_ID: event tables and messages have addresses as the settings ask for."""

import hashlib
import itertools
import json
from pathlib import Path

import duckdb
import pytest

from pipeline.catalog import EVENTS_BY_TABLE
from pipeline.errors import SettingsError
from pipeline.ledger import Ledger
from pipeline.privacy import addresses
from pipeline.privacy.addresses import are_outdated, check_addresses, rewrite_addresses
from pipeline.segment.bodies import BodyReader
from pipeline.segment.outbox import cut_batches
from pipeline.settings import Settings
from tests.support.delivery_fixtures import lake, ledger, plain, plain_warehouse, warehouse, without_rows
from tests.support.modelled_tables import DATES, MODELLED, SCHEMA, SOURCE, Lake, event_row, id_of

__all__ = ["lake", "ledger", "plain", "plain_warehouse", "warehouse", "without_rows"]

ANN, HASH = "Ann.O'Brien@Example.org", hashlib.sha256(b"ann.o'brien@example.org").hexdigest()
SQL_ANN = "'" + ANN.replace("'", "''") + "'"
OPENED = EVENTS_BY_TABLE["email_opened"]
FORMS = ("plain", "sha256", "none")


def settings(traits: str = "plain", anonymous: str = "email") -> Settings:
    chosen = {"segment_traits_email": traits, "segment_anonymous_id": anonymous}
    return Settings(_env_file=None, **chosen)  # type: ignore[arg-type, call-arg]


def people(lake: Lake, table: str = "email_opened") -> list[tuple[object, ...]]:
    return lake.query(f"SELECT user_id, anonymous_id, context_traits_email FROM {SCHEMA}.{table} ORDER BY id")


def rewrite(lake: Lake, chosen: Settings) -> int:
    return rewrite_addresses(lake.connection, chosen, Path("no dry run"))


def stage(lake: Lake) -> None:
    """Ann without a user id, Ann with one, and a person without an address; Ann's third open is of another month."""
    lake.stage(
        event_row(1, user_id=None, email=ANN),
        event_row(2, email=ANN),
        event_row(3),
        event_row(4, user_id=None, email=ANN, timestamp="2026-01-31T23:59:59.999999+00:00"),
    )


@pytest.mark.parametrize(
    ("traits", "anonymous", "as_trait", "as_anonymous_id"),
    [
        ("plain", "email", ANN, ANN),
        ("plain", "sha256", ANN, HASH),
        ("sha256", "email", HASH, ANN),
        ("sha256", "sha256", HASH, HASH),
        ("none", "email", None, ANN),
        ("none", "sha256", None, HASH),
    ],
)
def test_tables_and_messages_have_addresses_as_the_settings_ask_for(
    lake: Lake, traits: str, anonymous: str, as_trait: str | None, as_anonymous_id: str, tmp_path: Path
) -> None:
    stage(lake)
    body = tmp_path / "dry_run" / "2026-03-02" / "email_opened" / "000001_b.json"
    body.parent.mkdir(parents=True)
    body.write_text(ANN, "utf-8")
    assert are_outdated(lake.connection, settings(traits, anonymous)), "the way is not recorded yet"
    changed = rewrite_addresses(lake.connection, settings(traits, anonymous), tmp_path / "dry_run")
    assert changed == (0 if (traits, anonymous) == ("plain", "email") else 2 if traits == "plain" else 3)
    assert not body.exists(), "dry runs had them as before"
    assert people(lake) == [
        (None, as_anonymous_id, as_trait),
        ("user-2", None, as_trait),
        ("user-3", None, None),
        (None, as_anonymous_id, as_trait),
    ]
    message = json.loads(lake.query(f"SELECT {SOURCE.message(OPENED)} FROM {SCHEMA}.email_opened ORDER BY id")[0][0])
    assert message["anonymousId"] == as_anonymous_id
    assert message["context"].get("traits") == ({"email": as_trait} if as_trait else {})
    sizes = f"SELECT strlen({SOURCE.message(OPENED)}), {SOURCE.message_bytes(OPENED)} FROM {SCHEMA}.email_opened"
    assert all(built == computed for built, computed in lake.query(sizes))


def test_a_setting_can_change_at_any_time_and_back(plain: Lake) -> None:
    stage(plain)
    plain.query(f"CREATE TABLE {SCHEMA}.tracks AS SELECT {MODELLED} FROM staging.events")
    rewrite(plain, settings())
    before = people(plain)
    for traits, anonymous in itertools.product(FORMS, ("sha256", "email")):
        chosen = settings(traits, anonymous)
        rewrite(plain, chosen)
        assert people(plain, "tracks") == people(plain)
        assert "@" not in str(people(plain)) or "plain" in traits or anonymous == "email"
        assert not are_outdated(plain.connection, chosen)
        assert rewrite(plain, chosen) == 0
    rewrite(plain, settings())
    assert people(plain) == before


def test_a_process_killed_while_it_writes_the_tables_anew_is_completed_by_the_next(
    plain: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage(plain)
    rewrite(plain, settings())
    chosen = settings("none", "sha256")
    with monkeypatch.context() as patched:
        patched.setattr(addresses, "_record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rewrite(plain, chosen)
    with pytest.raises(SettingsError, match="SEGMENT_TRAITS_EMAIL or SEGMENT_ANONYMOUS_ID has changed"):
        check_addresses(plain.connection, chosen)
    rewrite(plain, chosen)
    check_addresses(plain.connection, chosen)
    assert "@" not in str(people(plain))


def test_a_new_warehouse_has_nothing_to_write_anew(plain: Lake) -> None:
    for table in ("email_opened", "email_bounced"):
        plain.query(f"DROP TABLE {SCHEMA}.{table}")
    plain.query("ALTER TABLE staging.events RENAME TO elsewhere")
    check_addresses(plain.connection, settings("none"))
    assert rewrite(plain, settings("none")) == 0
    assert plain.query("SELECT value FROM raw.origin WHERE name = 'addresses'") == [
        ("traits none, anonymous id email",)
    ]


@pytest.mark.parametrize("traits", FORMS)
def test_people_are_suppressed_by_an_address_that_their_events_do_not_have(
    plain: Lake, ledger: Ledger, traits: str
) -> None:
    """One of Ann's opens has no batch yet when she is listed, the others wait."""
    stage(plain)
    rewrite(plain, settings(traits, "sha256"))
    plain.put_out(ledger)
    before = set(plain.due_ids())
    plain.stage(event_row(5, email=ANN), event_row(6))
    rewrite(plain, settings(traits, "sha256"))
    plain.query(f"INSERT INTO raw.suppressed (kind, digest) VALUES ('email', sha256('email:' || lower({SQL_ANN})))")
    plain.put_out(ledger)
    assert plain.due_ids() - before == {id_of(6)}
    assert set(ledger.dead_ids("email_opened", DATES)) == {id_of(1), id_of(2), id_of(4)}


def test_a_batch_that_was_cut_with_addresses_is_sent_without_them(plain: Lake, ledger: Ledger) -> None:
    stage(plain)
    rewrite(plain, settings())
    plain.put_out(ledger)
    batches = cut_batches(plain.connection, DATES)
    rewrite(plain, settings("none", "sha256"))
    [body] = BodyReader(plain.connection, SOURCE).bodies(batches, [])
    assert b"@" not in body.messages
    assert body.messages.count(HASH.encode()) == 2
    assert not body.dead
    assert cut_batches(plain.connection, DATES) == batches


def test_the_hash_is_of_the_address_in_lower_case_without_characters_around_it() -> None:
    """Staging has addresses trimmed."""
    chosen = settings("sha256", "sha256")
    row = f"(SELECT CAST(NULL AS VARCHAR) AS user_id, {SQL_ANN} AS email)"
    query = f"SELECT {addresses.traits_email(chosen)}, {addresses.anonymous_id(chosen)} FROM {row}"
    assert duckdb.execute(query).fetchall() == [(HASH, HASH)]
