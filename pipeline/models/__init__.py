"""Raw tables → event tables: dbt, seen from Dagster."""
