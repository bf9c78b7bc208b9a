"""`python -m pipeline tracking-plan`: what Segment's Protocols should expect."""

import json

import click

from pipeline.settings import load_settings


@click.command("tracking-plan", short_help="Print the JSON Schema of every event, for Protocols.")
def tracking_plan() -> int:
    """Print the JSON Schema of every event as configured, in the form of Segment's Public API."""
    settings = load_settings()
    from pipeline.exports.layout_files import read_layouts
    from pipeline.exports.property_registry import check_properties, declared_by
    from pipeline.segment.messages import MessageSource
    from pipeline.segment.tracking_plan import tracking_plan as plan_of
    from pipeline.warehouse import Warehouse, readable
    from pipeline.warehouse.declared_properties import by_event, declared_properties

    layouts = read_layouts(settings.selligent_layouts)
    declared = declared_by(layouts)
    with readable(Warehouse.of(settings)).warehouse.reading_if_any() as connection:
        if connection is not None:
            check_properties(connection, layouts)
            # Events can still have properties that no layout declares any longer.
            declared |= {one for properties in declared_properties(connection).values() for one in properties}
    source = MessageSource(settings.schema_name, settings.integrations, by_event(declared))
    click.echo(json.dumps(plan_of(source), indent=2, ensure_ascii=False))
    return 0
