"""The one family of errors that this project raises on purpose."""


class PipelineError(Exception):
    """Something that a person can put right; its text is one sentence that says what, where and how."""


class SettingsError(PipelineError):
    """A setting or an argument is wrong; nothing was touched."""


class LayoutError(SettingsError):
    """A layout file is wrong; it is refused as a whole."""


class InspectionRefused(SettingsError):
    """A file is no export that a layout could describe."""


class LocationError(PipelineError):
    """The place where exports arrive can't be read."""


class FileRefused(PipelineError):
    """One export file can't be taken; the others go on."""


class FileUnreadable(PipelineError):
    """One export file can't be read at this moment; the others go on, and the next run tries it again."""


class FileChanged(PipelineError):
    """One export file changed while it was read; the others go on, and the next run reads it."""


class WarehouseError(PipelineError):
    """The warehouse can't be opened, or does not take what it is given."""


class NoWarehouse(WarehouseError):
    """There is no warehouse yet: nothing was ever committed to its place."""

    def __init__(self) -> None:
        super().__init__("There is no warehouse yet; `make run` makes it.")


class EarlierWarehouse(WarehouseError):
    """An earlier version of the program made the warehouse, and nothing was written to it since."""

    def __init__(self) -> None:
        super().__init__(
            "WAREHOUSE: an earlier version of this program made it; `python -m pipeline run` brings it up to date."
        )


class DeliveryError(PipelineError):
    """Delivery stopped; what was not sent is still waiting in the ledger."""


def missing_packages(setting: str, what: str, extra: str) -> str:
    """The sentence for a setting whose packages are not there; the versions are those that were tested."""
    install = f".venv/bin/python -m pip install -c constraints.txt -e '.[{extra}]'"
    return f"{setting}: {what} needs packages that are not installed: `{install}` beside pyproject.toml"
