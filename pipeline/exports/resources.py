"""The location of the exports as a Dagster resource."""

import time

import dagster as dg

from pipeline.exports.discovery import Discovered, Look, known_in, shared_watch
from pipeline.exports.layout_files import Layouts, read_usable_layouts
from pipeline.exports.locations import ExportLocation
from pipeline.filesystems.temporary_files import remove_abandoned
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import Warehouse


class Exports(dg.ConfigurableResource):
    """The location of the exports, with their layouts."""

    def settings(self) -> Settings:
        """The current settings."""
        return load_settings()

    def location(self) -> ExportLocation:
        """The location of SELLIGENT_EXPORTS."""
        settings = load_settings()
        return ExportLocation(settings.selligent_exports, follow_links=settings.selligent_follow_links)

    def layouts(self) -> Layouts:
        """The layouts of SELLIGENT_LAYOUTS. Raises LayoutError: none can be used."""
        return read_usable_layouts(load_settings().selligent_layouts)

    def look(self, location: ExportLocation, layouts: Layouts) -> Look:
        """A first listing of this location."""
        remove_abandoned()
        settings = load_settings()
        watch = shared_watch(settings.selligent_exports)
        return Look(location, layouts.usable, watch, settings.loadable_dates, time.sleep, layouts.broken)

    def discover(self) -> Discovered:
        """The files that are in the location now, with those that are still being written apart."""
        with self.location() as location:
            return self.look(location, self.layouts()).settled(lambda: known_in(Warehouse.of(load_settings())))
