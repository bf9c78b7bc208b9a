from tests.support.delivery_fixtures import (
    lake,
    ledger,
    no_proxy_between_here_and_here,
    plain,
    plain_warehouse,
    sender,
    server,
    small_batches,
    time,
    warehouse,
    without_rows,
)

__all__ = [
    "lake",
    "ledger",
    "no_proxy_between_here_and_here",
    "plain",
    "plain_warehouse",
    "sender",
    "server",
    "small_batches",
    "time",
    "warehouse",
    "without_rows",
]
