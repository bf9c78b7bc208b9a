"""`python -m pipeline reconcile`: pair a warehouse and a ledger of which one was lost or is older.

Every step can be repeated, so after a kill, the next call completes the work.
"""

from datetime import UTC, datetime

import click

from pipeline.settings import load_settings


@click.command(short_help="Pair a warehouse and a ledger after one of them was lost.")
def reconcile() -> int:
    """Pair a warehouse and a ledger again after one of them was lost or restored from an older copy."""
    settings = load_settings()
    from pipeline.console import out
    from pipeline.ledger import Ledger
    from pipeline.ledger.warehouse_pairing import is_pair
    from pipeline.orchestration.instance import exclusive, opened_instance
    from pipeline.segment.reconcile import reconcile as make_pair
    from pipeline.warehouse import Warehouse
    from pipeline.warehouse.immutable_settings import ensure_origin, take_over

    warehouse, ledger = Warehouse.of(settings), Ledger(settings.ledger)
    with opened_instance() as instance, exclusive(instance), warehouse.writing() as connection:
        take_over(connection, settings)
        ensure_origin(connection, settings)
        if is_pair(connection, ledger):
            out.print("The warehouse and the ledger belong together; there is nothing to do.")
            return 0
        done = make_pair(connection, ledger, datetime.now(UTC))
    out.print("The warehouse and the ledger are paired.")
    if done.taken:
        out.print(
            f"Batches taken from the warehouse's copy of the ledger: {done.taken:,}. Events delivered after that copy "
            "was made, if any, are sent again with the same ids."
        )
    if not done.missing:
        out.print("`python -m pipeline run` continues.")
        return 0
    out.print(
        f"Delivered events that this warehouse does not contain: {done.missing:,}. {done.recognisable:,} of them are "
        "recognised if the next run cuts the same batches again. If it does not, because an export was corrected or "
        "the files of a date arrived one by one, the events are sent again with the same ids, which Segment "
        "deduplicates for at least 24 hours."
    )
    out.print(
        "To see first what would be sent, run once without SEGMENT_WRITE_KEY: `python -m pipeline status` then counts "
        "those events as waiting."
    )
    return 0
