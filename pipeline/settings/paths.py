"""Folders of the project and of its data, and the file of the settings.

An installation can have several brands, each with a file of settings. Whatever belongs to a brand is below a folder of
its own; all brands share Dagster's home, since one UI shows them all.
"""

import os
import re
from pathlib import Path

from pipeline.errors import SettingsError

PROJECT_ROOT = Path(__file__).resolve().parents[2]
# The made-up exports that the project ships.
EXAMPLES = str(PROJECT_ROOT / "examples" / "exports")
_DEFAULT_ENV_FILE = PROJECT_ROOT / ".env"
# A brand's name is a part of asset keys and a folder.
_BRAND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def brand_of(env_file: Path) -> str:
    """The brand of a file of settings: `a` for `a.env`, `.env.a` and `a/.env`; empty for the project's own `.env`.

    Raises:
        SettingsError: the name has other characters than ASCII letters, digits, `_` and `-`.
    """
    if env_file == _DEFAULT_ENV_FILE:
        return ""
    of_file = env_file.name.removeprefix(".env.").removesuffix(".env")
    name = of_file or env_file.parent.name
    if not _BRAND.fullmatch(name):
        raise SettingsError(
            f"--env-file: {str(env_file)!r} names no brand; rename it to something such as brands/acme.env, "
            "with ASCII letters, digits, _ and - only"
        )
    return name


# `--env-file` sets the variable, in `pipeline/__main__.py`. Child processes inherit it.
ENV_FILE = Path(os.path.normpath(PROJECT_ROOT / (os.environ.get("PIPELINE_ENV_FILE") or ".env")))
BRAND = brand_of(ENV_FILE)
# The folder of the stores where no setting names another; relative to the project.
DEFAULT_STORES = f"data/brands/{BRAND}" if BRAND else "data"
# What all brands share: Dagster's home. Containers and tests set another folder.
INSTALLATION_DIR = PROJECT_ROOT / os.environ.get("PIPELINE_DATA_DIR", "data")
# dbt's artifacts and the output of dry runs.
DATA_DIR = INSTALLATION_DIR / "brands" / BRAND if BRAND else INSTALLATION_DIR
# Each of these can contain personal data, which `forget` searches.
DRY_RUN_DIR, DBT_TARGET_DIR, SPILL_DIR, REPORT_DIR = (DATA_DIR / name for name in ("dry_run", "dbt", "tmp", "report"))
# The file of the report in the folder of REPORT.
REPORT_PAGE = "index.html"
