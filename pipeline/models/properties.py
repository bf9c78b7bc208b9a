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
_COMMENT = re.compile(
    r"^COMMENT ON (?:TABLE|COLUMN|VIEW) (raw|delivery)\.(\w+)(?:\.(\w+))? IS '((?:[^']|'')*)';$", re.MULTILINE
)
# Tables of raw that dbt's models read.
_READ = ("export_files", "events", "rejected_rows", "lookups", "suppressed")
# The comment of a view contains the descriptions of its columns, since a DuckLake has none on columns of views.
_COLUMN_OF_VIEW = re.compile(r"(?:^|(?<=[.;] ))(\w+): ([^;]+)(?:; |$)")


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
    """Descriptions of the tables that no model makes, and of their columns: the comments that the warehouse has."""
    tables: dict[str, dict[str, dict[str, Any]]] = {"raw": {}, "delivery": {}}
    for schema, table, column, comment in _COMMENT.findall(COMMENTS.read_text("utf-8")):
        words = comment.replace("''", "'")
        if column:
            tables[schema][table]["columns"].append({"name": column, "description": words})
            continue
        columns = [{"name": name, "description": text} for name, text in _COLUMN_OF_VIEW.findall(words)]
        description = words.partition(f" {columns[0]['name']}: ")[0] if columns else words
        tables[schema][table] = {"name": table, "description": description, "columns": columns}
    freshness = {"warn_after": {"count": 36, "period": "hour"}}
    tables["raw"]["export_files"]["config"] = {"loaded_at_field": "loaded_at", "freshness": freshness}
    sources = [
        _source("raw", "The content of the export files, as text.", [tables["raw"][name] for name in _READ]),
        _source(
            "delivery",
            "What became of each event after the models: the batches that are sent to Segment, and a copy of the "
            "delivery ledger. The pipeline writes these tables; no model reads them.",
            list(tables["delivery"].values()),
        ),
    ]
    return _as_yaml("pipeline/warehouse/schema/comments.sql", {"sources": sources})


def _source(schema: str, description: str, tables: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {"name": schema, "database": "lake", "schema": schema, "description": description, "tables": tables}


def _as_yaml(source: str, content: Mapping[str, Any]) -> str:
    return _HEADER.format(source=source) + yaml.safe_dump(
        content, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True
    )


if __name__ == "__main__":
    write_properties()
