"""Points about the warehouse and the ledger: they can be opened, belong together, and fit the settings."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sqlalchemy.engine import make_url

from pipeline.errors import EarlierWarehouse, PipelineError, WarehouseLocked
from pipeline.finding import counted
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_pairing import check_pair
from pipeline.preflight.places import writable
from pipeline.preflight.points import Point, checked, failed, ok, warning
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse, has_rows
from pipeline.warehouse.immutable_settings import check_origin

_WAREHOUSE, _FILES, _LEDGER = "WAREHOUSE", "WAREHOUSE_FILES", "LEDGER"


def store_points(settings: Settings) -> Iterator[Point]:
    """The warehouse, its files, and the ledger. None of them is created."""
    warehouse = Warehouse.of(settings).impatient()
    yield checked(_WAREHOUSE, lambda: _warehouse(warehouse, settings))
    if warehouse.is_ducklake and not warehouse.is_in_s3:
        yield writable(_FILES, Path(warehouse.files), "has the warehouse's Parquet files")
    file = _file_of(settings.ledger)
    if file is not None and not file.exists():
        yield checked(_LEDGER, lambda: _no_ledger(warehouse, file))
    else:
        yield checked(_LEDGER, lambda: _ledger(settings, warehouse))


def _warehouse(warehouse: Warehouse, settings: Settings) -> Point:
    try:
        with warehouse.reading_if_any() as connection:
            if connection is not None:
                check_origin(connection, settings)
                return ok(_WAREHOUSE, f"{warehouse.shown} can be read, and was created with these settings")
    except EarlierWarehouse as error:
        return warning(_WAREHOUSE, str(error))
    except WarehouseLocked as error:
        return warning(_WAREHOUSE, f"{error.held}, as by a run; check again when it has ended")
    if warehouse.catalog_file is None:
        return ok(_WAREHOUSE, f"{warehouse.shown} can be reached; the first run creates the tables")
    return writable(_WAREHOUSE, warehouse.catalog_file, "")


def _ledger(settings: Settings, warehouse: Warehouse) -> Point:
    ledger = Ledger(settings.ledger)
    delivered = ledger.delivered_events()
    try:
        with warehouse.reading_if_any() as connection:
            check_pair(connection, ledger)
    except (EarlierWarehouse, WarehouseLocked):
        pass  # a point of its own
    except PipelineError as error:
        return failed(_LEDGER, str(error))
    return ok(_LEDGER, f"can be read, and has {counted(delivered, 'delivered event')}")


def _no_ledger(warehouse: Warehouse, file: Path) -> Point:
    """A ledger is created with the warehouse; one that is missing beside a warehouse with batches was lost."""
    # Each has a point of its own.
    with suppress(EarlierWarehouse, WarehouseLocked), warehouse.reading_if_any() as connection:
        if connection is not None and has_rows(connection, "SELECT 1 FROM delivery.outbox LIMIT 1"):
            return failed(
                _LEDGER,
                f"{file} does not exist, and the warehouse has events that were due. If the setting was changed, "
                "change it back; if the file was lost, `python -m pipeline reconcile` makes it again",
            )
    return writable(_LEDGER, file, "")


def _file_of(ledger: str) -> Path | None:
    url = make_url(ledger)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
