"""`python -m pipeline reconcile`: a warehouse and a ledger of which one was lost or is older go on together."""

from datetime import UTC, datetime

from pipeline.console import out
from pipeline.instance import alone, opened_instance
from pipeline.origin import ensure_origin
from pipeline.segment.ledger import Ledger
from pipeline.segment.pairing import is_pair
from pipeline.segment.reconciling import reconcile as make_pair
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse


def reconcile(settings: Settings) -> int:
    """Make the warehouse and the ledger of the settings a pair, and print what that means; the exit status.

    Every step can be done again, so a process that was killed is finished by the next one.

    Raises:
        SettingsError: the warehouse is used otherwise than it was begun.
        PipelineError: a run is going on, or the warehouse or the ledger is not usable.
    """
    warehouse, ledger = Warehouse.of(settings), Ledger(settings.ledger)
    with opened_instance() as instance, alone(instance), warehouse.writing() as connection:
        ensure_origin(connection, settings)
        if is_pair(connection, ledger):
            out.print("The warehouse and the ledger go together; there is nothing to do.")
            return 0
        done = make_pair(connection, ledger, datetime.now(UTC))
    out.print("The warehouse and the ledger go together from now on.")
    if done.taken:
        out.print(f"{done.taken:,} batches were taken from the copy of the ledger that is in the warehouse.")
    if done.missing:
        out.print(
            f"{done.missing:,} events were delivered that this warehouse does not have. Load their exports again: the "
            f"{done.recognisable:,} of them that are in batches as they were are recognised, and not sent again where "
            "the same batches come about; others are sent again under the same ids, which Segment recognises for at "
            "least 24 hours."
        )
    out.print(
        "`python -m pipeline run --no-delivery` loads what is missing and withholds it; `python -m pipeline run "
        "--release` sends what then waits."
    )
    return 0
