"""The project's settings, read from the environment or from `.env` beside `pyproject.toml`, or from a brand's file."""

from pipeline.settings.paths import (
    BRAND,
    DATA_DIR,
    DBT_TARGET_DIR,
    DRY_RUN_DIR,
    ENV_FILE,
    EXAMPLES,
    INSTALLATION_DIR,
    PROJECT_ROOT,
    REPORT_DIR,
    REPORT_PAGE,
    SPILL_DIR,
)
from pipeline.settings.settings import SECRETS, Settings, export_credentials, load_settings

__all__ = [
    "BRAND",
    "DATA_DIR",
    "DBT_TARGET_DIR",
    "DRY_RUN_DIR",
    "ENV_FILE",
    "EXAMPLES",
    "INSTALLATION_DIR",
    "PROJECT_ROOT",
    "REPORT_DIR",
    "REPORT_PAGE",
    "SECRETS",
    "SPILL_DIR",
    "Settings",
    "export_credentials",
    "load_settings",
]
