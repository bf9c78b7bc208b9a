"""Folders of the project and of its data."""

import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]
# The made-up exports that the project ships.
EXAMPLES = str(PROJECT_ROOT / "examples" / "exports")
# Dagster's home, dbt's artifacts and the output of dry runs; containers and tests set another folder.
DATA_DIR = PROJECT_ROOT / os.environ.get("PIPELINE_DATA_DIR", "data")
# Each of these can contain personal data, which `forget` searches.
DRY_RUN_DIR, DBT_TARGET_DIR, SPILL_DIR, REPORT_DIR = (DATA_DIR / name for name in ("dry_run", "dbt", "tmp", "report"))
REPORT_PAGE = REPORT_DIR / "index.html"
