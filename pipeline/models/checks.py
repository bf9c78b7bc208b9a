"""What a person should look at among the events, as asset checks: a step of its own, after the models."""

from collections.abc import Iterator

import dagster as dg

from pipeline.checking import Check, results
from pipeline.models.oddities import before_send, bots, nameless
from pipeline.partitions import WAREHOUSE_WRITERS, dates_of_run
from pipeline.resources import WarehouseResource

_EVENTS = dg.AssetKey(["staging", "events"])
CHECKS = {
    Check(
        "every_id_has_its_name",
        _EVENTS,
        "Emails, campaigns, links and lists have a name, from their own row or from a lookup.",
    ): nameless,
    Check(
        "nothing_is_earlier_than_its_email",
        _EVENTS,
        "No open or click is earlier than the delivery of the email to the same person.",
    ): before_send,
    Check(
        "machines_are_counted_apart",
        _EVENTS,
        "How many events the exports mark as those of machines (is_bot); never a warning.",
    ): bots,
}


@dg.multi_asset_check(
    name="staging__events__checks",
    specs=[check.spec for check in CHECKS],
    can_subset=True,
    pool=WAREHOUSE_WRITERS,  # a plain DuckDB file has no reader beside a writer
)
def event_checks(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
    """Names that are missing, times that contradict each other, and machines, in the events of these dates."""
    dates = dates_of_run(context.run.tags)
    with warehouse.open().reading() as connection:
        found = {check: finds(connection, dates) for check, finds in CHECKS.items()}
    yield from results(found, context.op_execution_context.selected_asset_check_keys)
