"""Folders of the project and of its data."""

import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
# The made-up exports that the project ships.
EXAMPLES = str(PROJECT_ROOT / "examples" / "exports")
# Dagster's home, dbt's artifacts and what a dry run writes; another place suits containers and tests.
DATA_DIR = PROJECT_ROOT / os.environ.get("PIPELINE_DATA_DIR", "data")
# In each of these there can be people's data, which `forget` has to know.
DRY_RUN_DIR, DBT_TARGET_DIR, SPILL_DIR, REPORT_DIR = (DATA_DIR / name for name in ("dry_run", "dbt", "tmp", "report"))
