"""The errors that this project raises on purpose, and shared messages."""


class PipelineError(Exception):
    """An error that a user can fix. Its message is one sentence: what is wrong, where, and how to fix it."""


class SettingsError(PipelineError):
    """A setting or an argument is wrong; nothing was written."""


class LayoutError(SettingsError):
    """A layout file is wrong; it is refused as a whole."""


class InspectionRefused(SettingsError):
    """No layout could describe the file as an export."""


class LocationError(PipelineError):
    """The location of the exports can't be read, or that of the report can't be written."""


class FileRefused(PipelineError):
    """One export file is refused; the others are loaded."""


class FileUnreadable(PipelineError):
    """One export file can't be read at the moment; the others are loaded, and the next run retries it."""


class FileChanged(PipelineError):
    """One export file changed while it was read; the others are loaded, and the next run retries it."""


class WarehouseError(PipelineError):
    """The warehouse can't be opened or written."""


class WarehouseLocked(WarehouseError):
    """Another process has the file of the warehouse open; `held` names the file and the process."""

    def __init__(self, file: str, holder: str) -> None:
        self.held = f"WAREHOUSE: {file} is locked by {holder}"
        super().__init__(f"{self.held}; wait for it, or use a DuckLake, which can be shared.")


class NoWarehouse(WarehouseError):
    """There is no warehouse yet: nothing was ever committed at its location."""

    def __init__(self) -> None:
        super().__init__("There is no warehouse yet; `make run` creates it.")


class EarlierWarehouse(WarehouseError):
    """An earlier version of the program created the warehouse, and no later version has migrated it yet."""

    def __init__(self) -> None:
        super().__init__(
            "WAREHOUSE: an earlier version of this program created it; `python -m pipeline run` migrates it."
        )


class ModelsFailed(PipelineError):
    """dbt reported errors; the message has all of them."""


class DeliveryError(PipelineError):
    """Delivery stopped; what was not sent still waits in the ledger."""


def missing_packages(setting: str, what: str, extra: str) -> str:
    """The message for a setting whose packages are not installed; its command installs the tested versions."""
    install = f".venv/bin/python -m pip install -c constraints.txt -e '.[{extra}]'"
    return f"{setting}: {what} needs packages that are not installed: `{install}` beside pyproject.toml"
