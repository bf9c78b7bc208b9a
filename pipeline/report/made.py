"""When a report was made, and from what; nothing secret in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline import __version__
from pipeline.catalog import LIBRARY_NAME
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse


@dataclass(frozen=True)
class Made:
    """What stands at the foot of a report."""

    at: datetime
    warehouse: str
    source: str
    schema: str
    region: str
    dry_run: bool
    version: str

    @classmethod
    def of(cls, settings: Settings, now: datetime) -> "Made":
        """Of these settings, at this moment."""
        return cls(
            at=now,
            warehouse=Warehouse.of(settings).shown,
            source=settings.segment_source_name,
            schema=settings.schema_name,
            region=settings.segment_region,
            dry_run=not settings.delivers,
            version=__version__,
        )

    def facts(self) -> Sequence[tuple[str, str]]:
        """Each with what it is called."""
        return (
            ("Made", f"{self.at:%Y-%m-%d %H:%M:%S} UTC"),
            ("Warehouse", self.warehouse),
            ("Source", f"{self.source} (schema {self.schema})"),
            ("Region", self.region),
            ("Delivery", "dry run: nothing is sent" if self.dry_run else "to Segment"),
            ("Program", f"{LIBRARY_NAME} {self.version}"),
        )
