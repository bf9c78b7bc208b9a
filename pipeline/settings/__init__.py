"""The project's settings, read from the environment or from `.env` beside `pyproject.toml`."""

from pipeline.settings.paths import (
    DATA_DIR,
    DBT_TARGET_DIR,
    DRY_RUN_DIR,
    EXAMPLES,
    PROJECT_ROOT,
    REPORT_DIR,
    REPORT_PAGE,
    SPILL_DIR,
)
from pipeline.settings.settings import SECRETS, Settings, export_credentials, load_settings

__all__ = [
    "DATA_DIR",
    "DBT_TARGET_DIR",
    "DRY_RUN_DIR",
    "EXAMPLES",
    "PROJECT_ROOT",
    "REPORT_DIR",
    "REPORT_PAGE",
    "SECRETS",
    "SPILL_DIR",
    "Settings",
    "export_credentials",
    "load_settings",
]
