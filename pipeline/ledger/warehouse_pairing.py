"""The warehouse's side of the pair, and the check that warehouse and ledger belong together; otherwise nothing is sent.

Both store the id of their pair, a generation that grows with each write that matters to the other, and the generation
of the other that they saw last. One that is behind what the other has seen was restored from an older copy, and one
without the pair's id was created anew. Either way the ledger would describe other batches than those of the warehouse:
events would be sent twice, or count as delivered without ever being sent.
"""

from uuid import uuid4

import duckdb

from pipeline.errors import SettingsError
from pipeline.finding import counted
from pipeline.ledger import Ledger, Pairing
from pipeline.warehouse import has_rows, one_column, transaction

Connection = duckdb.DuckDBPyConnection

_PAIR, _GENERATION, _SEEN = "pair", "generation", "ledger_generation"
_NAMES = f"('{_PAIR}', '{_GENERATION}', '{_SEEN}')"
_REMEDY = (
    "Nothing was sent. If one of the two settings was changed, change it back; if a file was lost or restored, "
    "restore both from one backup. Without a backup, `python -m pipeline reconcile` pairs them again"
)


def pairing_of(connection: Connection) -> Pairing:
    """What the warehouse stores about its ledger."""
    known = dict(connection.execute(f"SELECT name, value FROM raw.origin WHERE name IN {_NAMES}").fetchall())
    return Pairing(known.get(_PAIR), int(known.get(_GENERATION, 0)), int(known.get(_SEEN, 0)))


def check_pair(connection: Connection | None, ledger: Ledger) -> None:
    """Raise SettingsError unless the warehouse (None: there is none) and the ledger belong together."""
    if (what := _mismatch(connection, ledger)) is not None:
        raise SettingsError(f"WAREHOUSE and LEDGER do not belong together: {what}. {_REMEDY}")


def is_pair(connection: Connection, ledger: Ledger) -> bool:
    """Whether the warehouse and the ledger belong together."""
    return _mismatch(connection, ledger) is None


def is_copy_behind(connection: Connection, ledger: Ledger) -> bool:
    """Whether the ledger was written since the warehouse last copied it, as after a kill or a restore."""
    return pairing_of(connection).seen < ledger.pairing().generation


def _mismatch(connection: Connection | None, ledger: Ledger) -> str | None:
    # Other processes may write meanwhile: what the ledger had seen before, the warehouse has by now, and vice versa.
    before = ledger.pairing()
    ours = pairing_of(connection) if connection is not None else Pairing()
    theirs = ledger.pairing()
    if ours.pair and ours.pair == theirs.pair:
        if ours.generation < before.seen:
            return "the warehouse is older than the ledger, as after a restore"
        if theirs.generation < ours.seen:
            return "the ledger is older than the warehouse, as after a restore"
        return None
    was_cut = connection is not None and _has_outbox(connection)
    if not was_cut and not ledger.has_sent():
        return None
    if connection is None or not was_cut:
        events = ledger.delivered_events()
        return f"the ledger has {counted(events, 'delivered event')}, and the warehouse contains none of them"
    if not (ours.pair and theirs.pair) and _agree(connection, ledger):
        return None  # they predate pairing, or a process was killed while it paired them
    if not ledger.batch_ids():
        return "the warehouse contains events that were due, and the ledger has no batch of them"
    return "each of them was paired with a different counterpart"


def _has_outbox(connection: Connection) -> bool:
    return has_rows(connection, "SELECT 1 FROM delivery.outbox LIMIT 1")


def _agree(connection: Connection, ledger: Ledger) -> bool:
    known = ledger.batch_ids()
    cut = batch_ids(connection)
    return known <= cut and (bool(known) or not cut)


def batch_ids(connection: Connection) -> set[str]:
    """Every batch in the warehouse."""
    return set(one_column(connection, "SELECT DISTINCT batch_id FROM delivery.outbox WHERE batch_id IS NOT NULL"))


def pair_up(connection: Connection, ledger: Ledger) -> None:
    """Check as `check_pair` does, and pair a warehouse and a ledger that have no pairing yet: unused ones, and used
    ones that predate pairing and agree.
    """
    check_pair(connection, ledger)
    ours, theirs = pairing_of(connection), ledger.pairing()
    if ours.pair and ours.pair == theirs.pair:
        return
    new = Pairing(str(uuid4()), 1, 1)
    pair_warehouse(connection, new)
    if _has_outbox(connection):
        ledger.pair(new)
    else:  # a dry run may have registered batches before its warehouse was removed
        ledger.start_over(new)


def pair_warehouse(connection: Connection, new: Pairing) -> None:
    """Store a new pairing in the warehouse."""
    with transaction(connection):
        connection.execute(f"DELETE FROM raw.origin WHERE name IN {_NAMES}")
        connection.execute(
            "INSERT INTO raw.origin VALUES (?, ?), (?, ?), (?, ?)",
            [_PAIR, new.pair, _GENERATION, str(new.generation), _SEEN, str(new.seen)],
        )


def advance_warehouse(connection: Connection) -> None:
    """Increase the warehouse's generation, within the caller's transaction: every earlier copy of it is older."""
    _set(connection, _GENERATION, pairing_of(connection).generation + 1)


def record_ledger_generation(connection: Connection, ledger: Ledger) -> None:
    """Record in the warehouse the generation that the ledger has."""
    ours, theirs = pairing_of(connection), ledger.pairing()
    if ours.pair and ours.pair == theirs.pair and ours.seen < theirs.generation:
        _set(connection, _SEEN, theirs.generation)


def _set(connection: Connection, name: str, value: int) -> None:
    connection.execute("UPDATE raw.origin SET value = ? WHERE name = ?", [str(value), name])
