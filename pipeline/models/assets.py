"""The dbt models as assets, their tests as asset checks."""

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject, dbt_assets
from pydantic import Field

from pipeline.ledger import MODELLED
from pipeline.ledger.warehouse_pairing import pair_up
from pipeline.models.dbt import DBT_DIR
from pipeline.models.dbt_run import build
from pipeline.models.manifest import prepared_manifest
from pipeline.models.run_span import revisions, run_span
from pipeline.models.table_metadata import tables_of
from pipeline.orchestration.asset_keys import delivery_of, raw_table, segment_table, staging_table
from pipeline.orchestration.long_steps import every_minute
from pipeline.orchestration.metadata import add_by_date, preview
from pipeline.orchestration.partitions import EXPORT_DATES, ONE_RUN, WAREHOUSE_WRITERS, dates_of
from pipeline.orchestration.resources import WarehouseResource
from pipeline.orchestration.run_locks import release_lock
from pipeline.privacy.addresses import rewrite_addresses
from pipeline.privacy.suppression import listings, mark
from pipeline.settings import DBT_TARGET_DIR, DRY_RUN_DIR, load_settings
from pipeline.warehouse.declared_properties import as_environment, declared_properties
from pipeline.warehouse.immutable_settings import check_origin
from pipeline.warehouse.loads import newest_loads
from pipeline.warehouse.reservation import reserved

# A run writes no manifest, since another process may be reading the existing one; benchmarks set it to true.
_WRITE_JSON = "DBT_WRITE_JSON"


dbt_project = DbtProject(project_dir=DBT_DIR, profiles_dir=DBT_DIR, target_path=DBT_TARGET_DIR)


class ModelConfig(dg.Config):
    """How tables are modelled."""

    full_refresh: bool = Field(
        default=False, description="Rebuild every table from raw, whatever the dates of the run."
    )


class _Translator(DagsterDbtTranslator):
    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        name = str(dbt_resource_props["name"])
        if dbt_resource_props["resource_type"] == "source":
            return delivery_of(name) if dbt_resource_props["source_name"] == "delivery" else raw_table(name)
        if name.startswith("stg_"):
            return staging_table(name.removeprefix("stg_"))
        return segment_table(name)

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return str(dbt_resource_props["description"]).strip()  # without the SQL, to which the code reference leads

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return self.get_asset_key(dbt_resource_props).path[-2]


@dbt_assets(
    manifest=prepared_manifest(),
    name="models",
    dagster_dbt_translator=_Translator(DagsterDbtTranslatorSettings(enable_code_references=True)),
    partitions_def=EXPORT_DATES,
    backfill_policy=ONE_RUN,
    pool=WAREHOUSE_WRITERS,
    project=dbt_project,
)
def models(context: dg.AssetExecutionContext, config: ModelConfig, warehouse: WarehouseResource) -> Iterator[Any]:
    """Type, identify and split the events of these dates; each table has each id once."""
    dates = dates_of(context)
    lake, started = warehouse.open(), time.monotonic()
    arguments = ["--full-refresh"] if config.full_refresh else []
    outputs = []

    def show(sql: str) -> dg.MetadataValue:
        with lake.reading() as connection:
            return preview(connection, sql, [])

    with every_minute(context) as progress, lake.turn():
        with lake.writing_in_turn() as connection:
            check_origin(connection, load_settings())
            pair_up(connection, warehouse.ledger())
            rewrite_addresses(connection, load_settings(), DRY_RUN_DIR)
            span, declared = run_span(connection, dates), declared_properties(connection)
            loaded, new_listings = newest_loads(connection, dates), listings(connection, "modelled_at")
            known = {"DBT_WINDOW_SUPPRESSED": span.suppressed, "DBT_WINDOW_REVISIONS": revisions(connection)}
        window = {} if config.full_refresh else span.as_environment()
        quiet = {_WRITE_JSON: os.environ.get(_WRITE_JSON, "false")}
        values = {**window, **known, **as_environment(declared), **quiet}
        with reserved(lake):
            for event in build(context, arguments, values, show, progress):
                # Yielded when the warehouse is free, so that rows can be counted.
                if isinstance(event, dg.Output):
                    outputs.append(event)
                else:
                    yield event
    if len(outputs) == len(models.keys):
        warehouse.ledger().reach(MODELLED, loaded)
        if span.suppressed == "new":
            with lake.writing() as connection:
                mark(connection, "modelled_at", new_listings)
    if lake.is_ducklake:  # a plain DuckDB file can't be read beside the next writer
        release_lock(context)
    shown = tables_of(lake, load_settings().schema_name, dates, span, declared)
    lock_seconds = release_lock(context)
    seconds = time.monotonic() - started
    for output in outputs:
        key = context.asset_key_for_output(output.output_name)
        add_by_date(context, key, shown.by_date(key))
        # First what a person looks for, then dbt's own.
        yield output.with_metadata({**shown.metadata_of(key, seconds), **lock_seconds, **output.metadata})
