"""The dbt properties files that follow from the catalog and from the comments of the raw tables.

YAML has no loops, so what is the same for each event table is written out here. Dagster's start writes the files when
the catalog or the comments have changed; `python -m pipeline.models.properties` does so at once.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from pipeline.catalog import EVENTS, SHARED_COLUMNS
from pipeline.settings import PROJECT_ROOT
from pipeline.warehouse.schema.tables import COMMENTS

_MODELS = PROJECT_ROOT / "dbt_project" / "models"
SEGMENT, SOURCES = _MODELS / "segment" / "segment.yml", _MODELS / "staging" / "sources.yml"
_REQUIRED = ["id", "received_at", "sent_at", "original_timestamp", "timestamp", "event", "event_text", "uuid_ts"]
# Columns that a table of an earlier version has after all others.
_ADDED = ("context_ip", "context_user_agent", "link_url")
_HEADER = "# Generated from {source} by `python -m pipeline.models.properties`; don't edit.\n"
_COMMENT = re.compile(r"^COMMENT ON (?:TABLE|COLUMN) raw\.(\w+)(?:\.(\w+))? IS '((?:[^']|'')*)';$", re.MULTILINE)
# Tables that dbt's models read.
_READ = ("export_files", "events", "rejected_rows", "lookups", "suppressed")


def write_properties() -> None:
    """Write each file whose content is out of date."""
    for path, content in ((SEGMENT, segment_yml()), (SOURCES, sources_yml())):
        if not path.exists() or path.read_text("utf-8") != content:
            path.write_text(content, "utf-8")


def segment_yml() -> str:
    """Descriptions and tests of the event tables and of `tracks`."""
    tables = [event.table for event in EVENTS]
    models = [
        _model(event.table, f"{event.description} One row per event.", event.properties, [event.table])
        for event in EVENTS
    ]
    models.append(_model("tracks", "The events of all event tables, with the columns that they share.", (), tables))
    return _as_yaml("pipeline/catalog.py", {"models": models})


def _model(table: str, description: str, properties: Sequence[str], events: Sequence[str]) -> Mapping[str, Any]:
    columns = [*SHARED_COLUMNS, *properties]
    added = [name for name in columns if name in _ADDED]
    arguments = {"columns": columns, "added": added, "required": list(_REQUIRED), "events": list(events)}
    return {
        "name": table,
        "description": description,
        "data_tests": [{"holds_its_events": {"name": f"{table}_holds_its_events", "arguments": arguments}}],
        "columns": [{"name": name, "description": f"{{{{ doc('{name}') }}}}"} for name in columns],
    }


def sources_yml() -> str:
    """Descriptions of the raw tables and their columns: the comments that the warehouse has."""
    tables: dict[str, dict[str, Any]] = {}
    for table, column, comment in _COMMENT.findall(COMMENTS.read_text("utf-8")):
        words = comment.replace("''", "'")
        if column:
            tables[table]["columns"].append({"name": column, "description": words})
        else:
            tables[table] = {"name": table, "description": words, "columns": []}
    raw = {
        "name": "raw",
        "database": "lake",
        "schema": "raw",
        "description": "The content of the export files, as text.",
        "tables": [tables[name] for name in _READ],
    }
    freshness = {"warn_after": {"count": 36, "period": "hour"}}
    tables["export_files"]["config"] = {"loaded_at_field": "loaded_at", "freshness": freshness}
    return _as_yaml("pipeline/warehouse/schema/comments.sql", {"sources": [raw]})


def _as_yaml(source: str, content: Mapping[str, Any]) -> str:
    return _HEADER.format(source=source) + yaml.safe_dump(
        content, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True
    )


if __name__ == "__main__":
    write_properties()
