"""The tables of the documents are complete: every setting, command, option, key, table, event, asset and check."""

import re
from pathlib import Path

import click
import dagster as dg
import pytest

from pipeline.__main__ import app
from pipeline.automation import alert_sensors, schedules, sensors
from pipeline.catalog import EMAIL_PROPERTIES, EVENTS, LOOKUPS, SHARED_COLUMNS
from pipeline.exports.layouts import Layout
from pipeline.settings import PROJECT_ROOT, Settings
from pipeline.warehouse import Warehouse
from tests.docs.documents import LAYOUTS, OPERATIONS, README, REFERENCE, TABLES, blocks, code_spans, section, table_rows
from tests.end_to_end.test_definitions import ASSETS, WARNINGS


def test_the_settings_of_the_readme_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    [written] = blocks("dotenv", section(README, "Load your own exports"))
    names = {line.lstrip("# ").partition("=")[0] for line in written.splitlines() if "=" in line}
    assert not re.search(r"=.*#", written), "systemd and docker would take a comment for a part of the value"
    assert names <= {name.upper() for name in Settings.model_fields}
    file = tmp_path / ".env"
    file.write_text(written, "utf-8")
    settings = Settings(_env_file=file)  # type: ignore[call-arg]
    assert settings.selligent_exports == "/srv/selligent/out"
    assert (settings.message_id_namespace, settings.segment_region) == ("example.com", "eu")
    assert not settings.delivers


def test_the_table_of_settings_has_every_setting() -> None:
    of_the_environment = {"DAGSTER_UI_URL", "PIPELINE_DATA_DIR", "PIPELINE_ENV_FILE"}
    named = [row[0].strip("`") for row in table_rows(section(REFERENCE, "Settings"))]
    assert set(named) == {name.upper() for name in Settings.model_fields} | of_the_environment
    assert len(named) == len(set(named))


def test_the_table_of_commands_has_every_command_and_option() -> None:
    table = section(REFERENCE, "Commands")
    context = click.Context(app)
    assert all(f"`{option.opts[0]} " in table for option in app.params)
    for name in app.list_commands(context):
        command = app.get_command(context, name)
        assert command is not None
        assert f"`python -m pipeline {name}" in table
        options = [option for option in command.params if isinstance(option, click.Option)]
        spellings = [(*option.opts, *option.secondary_opts) for option in options]
        assert [names for names in spellings if not any(name in table for name in names)] == [], name


def test_the_table_of_keys_has_every_key_of_a_layout() -> None:
    named = [key for row in table_rows(section(LAYOUTS, "Keys of a layout")) for key in code_spans(row[0])]
    assert sorted(named) == sorted(Layout.model_fields)


def test_the_table_of_lookups_has_every_lookup() -> None:
    rows = table_rows(section(LAYOUTS, "Lookups"))
    named = {row[0].strip("`"): tuple(code_spans(row[1])) for row in rows}
    assert named == {kind: (*lookup.key, *lookup.values) for kind, lookup in LOOKUPS.items()}


def test_the_table_of_tables_has_every_table_that_no_model_makes(tmp_path: Path) -> None:
    with Warehouse(f"{tmp_path}/warehouse.duckdb", "").writing() as connection:
        made = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name IN ('raw', 'delivery') "
            "UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE schema_name IN ('raw', 'delivery')"
        ).fetchall()
    rows = re.findall(r"^\| `(raw|delivery)` \| (.+) \|$", section(TABLES, "Tables"), re.MULTILINE)
    named = {(schema, table) for schema, cell in rows for table in re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", cell))}
    assert named == set(made)


def test_the_columns_are_those_of_the_catalog() -> None:
    shared, further = section(TABLES, "Event tables").split("The six event tables have further columns.")
    named = [column for row in table_rows(shared) for column in code_spans(row[0])]
    assert sorted(named) == sorted(SHARED_COLUMNS)
    own = {row[0].strip("`"): tuple(code_spans(row[1])) for row in table_rows(further)}
    assert own.pop("each of the six") == EMAIL_PROPERTIES
    assert own == {event.table: event.properties[4:] for event in EVENTS if event.properties != EMAIL_PROPERTIES}


def test_the_six_events_are_those_of_the_catalog() -> None:
    rows = table_rows(section(README, "The six events"))
    own = [tuple(code_spans(row[3])) for row in rows]
    assert [(row[1], row[2].strip("`")) for row in rows] == [(event.name, event.table) for event in EVENTS]
    assert [(*EMAIL_PROPERTIES, *columns) for columns in own] == [event.properties for event in EVENTS]


def test_the_table_of_assets_has_every_asset() -> None:
    named = {key for row in table_rows(section(REFERENCE, "Assets")) for key in code_spans(row[0])}
    identities = {"staging/identities", "segment/identifies", "segment/users", "delivery/identifies"}
    assert named == ASSETS | {"raw/suppressed", "staging/event_rows", "staging/event_details"} | identities


def test_the_table_of_checks_has_checks_that_exist_and_every_warning() -> None:
    named = {row[0].strip("`") for row in table_rows(section(REFERENCE, "Checks"))}
    code = "".join(path.read_text("utf-8") for path in (PROJECT_ROOT / "pipeline").rglob("*.py"))
    assert {name for name in named if f'"{name}"' not in code and f"def {name}(" not in code} == set()
    assert named >= WARNINGS


def test_the_table_of_automation_has_every_schedule_and_sensor() -> None:
    named = {row[0].strip("`") for row in table_rows(section(OPERATIONS, "Automation"))}
    automated = [value for module in (alert_sensors, schedules, sensors) for value in vars(module).values()]
    kinds = (dg.ScheduleDefinition, dg.SensorDefinition)
    assert named == {value.name for value in automated if isinstance(value, kinds)}
