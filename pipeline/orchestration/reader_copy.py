"""The copy of a plain DuckDB file that readers have, brought up to date where a run ends."""

from collections.abc import Callable

from pipeline.errors import WarehouseError
from pipeline.orchestration.system_errors import naming, words_of_error
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse
from pipeline.warehouse.readable_copy import copy_of, publish


def update_copy(settings: Settings, warn: Callable[[str], None]) -> None:
    """Publish what the file contains now. A run has done its work by then, so it only warns where that can't be."""
    warehouse = Warehouse.of(settings).impatient()
    if (file := warehouse.plain_file) is None:
        return
    try:
        with naming(copy_of(file)):
            publish(warehouse)
    except (OSError, WarehouseError) as error:
        words = str(error) if isinstance(error, WarehouseError) else words_of_error(error, settings)
        warn(f"The copy of the warehouse for readers stays as it was; the next run writes it. {words}")
