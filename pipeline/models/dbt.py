"""How this project runs dbt: warehouse, variables, environment.

`python -m pipeline.models.dbt parse` and the like run dbt with the variables that its project needs.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.catalog import EVENTS, INTEGRATION_NAME, INTEGRATION_VERSION, LIBRARY_NAME, LOOKUPS
from pipeline.errors import EarlierWarehouse
from pipeline.models.newest_lookups import lookup_rows, newest_lookups
from pipeline.naming import snake_case_sql
from pipeline.privacy.addresses import anonymous_id, traits_email
from pipeline.privacy.digests import is_suppressed
from pipeline.settings import DBT_TARGET_DIR, PROJECT_ROOT, SPILL_DIR, Settings, load_settings
from pipeline.warehouse import MEMORY_LIMIT, Warehouse
from pipeline.warehouse.declared_properties import as_environment, declared_properties
from pipeline.warehouse.s3 import S3Server
from pipeline.warehouse.trimming import INVISIBLE

DBT_DIR = PROJECT_ROOT / "dbt_project"
# The dbt of this Python, whether or not its venv is activated. `-P`: a module of this project has the name `dbt`.
_DBT = (sys.executable, "-P", "-c", "from dbt.cli.main import cli; cli()")


def target(warehouse: Warehouse) -> str:
    """The output in `profiles.yml` that attaches this kind of warehouse."""
    if not warehouse.is_ducklake:
        return "duckdb"
    catalog = "postgres" if warehouse.server is not None else "sqlite"
    return f"ducklake_{catalog}{'_s3' if warehouse.is_in_s3 else ''}"


def variables(settings: Settings) -> Mapping[str, Any]:
    """The vars of dbt: facts that SQL and Python share."""
    return {
        "source_schema": settings.schema_name,
        "message_id_namespace": settings.message_id_namespace,
        "anonymous_id": anonymous_id(settings),
        "traits_email": traits_email(settings),
        "traits_email_is_plain": settings.segment_traits_email == "plain",
        "identify": settings.segment_identify,
        "integration_name": INTEGRATION_NAME,
        "integration_version": INTEGRATION_VERSION,
        "library_name": LIBRARY_NAME,
        "library_version": __version__,
        "invisible": INVISIBLE,
        "events": {event.name: {"table": event.table, "properties": event.properties} for event in EVENTS},
        "event_table_of_event_text": snake_case_sql("event_text"),
        "lookups": {kind: vars(lookup) for kind, lookup in LOOKUPS.items()},
        "newest_lookups": {kind: newest_lookups(kind, f"({lookup_rows(kind, '<where>')})") for kind in LOOKUPS},
        "is_suppressed": is_suppressed("<user_id>", "<email>", "<list_id>", "<selligent_user_id>"),
    }


def environment(warehouse: Warehouse) -> Mapping[str, str]:
    """The variables that `profiles.yml` reads."""
    server = S3Server.of()
    return {
        "DBT_WAREHOUSE_KIND": target(warehouse),
        "DBT_WAREHOUSE": warehouse.path,
        "DBT_WAREHOUSE_FILES": warehouse.files,
        # dbt keeps variables with this prefix out of its logs.
        "DBT_ENV_SECRET_PASSWORD": warehouse.server.password if warehouse.server else "",
        "DBT_S3_ENDPOINT": server.endpoint,
        "DBT_S3_USE_SSL": str(server.use_ssl).lower(),
        "DBT_S3_URL_STYLE": server.url_style,
        "DBT_MEMORY_LIMIT": MEMORY_LIMIT,
        "DBT_TEMP_DIRECTORY": str(SPILL_DIR),
        "DBT_TARGET_PATH": str(DBT_TARGET_DIR),
        "DO_NOT_TRACK": "1",
    }


def digest_of_sources() -> str:
    """A digest of the dbt project's files; times would not do, since a copy can be older than what it replaces."""
    files = [path for pattern in ("*.yml", "*/**/*.sql", "*/**/*.yml", "*/**/*.md") for path in DBT_DIR.glob(pattern)]
    digest = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(DBT_DIR)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def run_dbt(
    warehouse: Warehouse, arguments: Sequence[str], *, target: Path = DBT_TARGET_DIR, **options: Any
) -> "subprocess.CompletedProcess[Any]":
    """Run dbt in a process of its own; `target` is the folder of its artifacts, `options` are `subprocess`'s."""
    warehouse.import_extensions()
    folders = ["--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR), "--target-path", str(target)]
    values = {**os.environ, **environment(warehouse), "DBT_LOG_PATH": str(target)}
    return subprocess.run([*_DBT, *arguments, *folders], env=values, check=False, **options)  # noqa: S603


def main() -> int:
    """Run dbt with these arguments, and with the properties that the warehouse has; its exit status."""
    settings = load_settings()
    warehouse = Warehouse.of(settings)
    try:
        with warehouse.reading_if_any() as connection:
            os.environ.update(as_environment(declared_properties(connection) if connection is not None else {}))
    except EarlierWarehouse:
        pass  # dbt parses without a warehouse, and can't build in one that a run has to migrate first
    return run_dbt(warehouse, [*sys.argv[1:], "--vars", json.dumps(variables(settings))]).returncode


if __name__ == "__main__":
    sys.exit(main())
