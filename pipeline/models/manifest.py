"""The manifest of the dbt project, from which Dagster's start makes the assets of the models.

`python -m pipeline.models.manifest` makes it ahead, as the set-up does: it takes seconds, which the first run then need
not spend.
"""

import sys
from pathlib import Path

from filelock import FileLock

from pipeline.errors import PipelineError
from pipeline.models.dbt import digest_of_sources
from pipeline.models.dbt_runner import parse
from pipeline.models.properties import write_properties
from pipeline.orchestration.file_permissions import keep_private
from pipeline.settings import DBT_TARGET_DIR, load_settings


def prepared_manifest() -> Path:
    """The path of an up-to-date manifest; dbt parses only when the project has changed."""
    keep_private()  # processes of the service start here, and write nothing before
    path, made_from = DBT_TARGET_DIR / "manifest.json", DBT_TARGET_DIR / "manifest.sources"
    DBT_TARGET_DIR.mkdir(parents=True, exist_ok=True)
    # One process at a time, the service's or a command's: another would read a half-written manifest.
    with FileLock(DBT_TARGET_DIR / ".parsing"):
        write_properties()
        settings = load_settings()
        sources = f"{digest_of_sources()} identify={settings.segment_identify}"
        if not path.exists() or not made_from.exists() or made_from.read_text("utf-8") != sources:
            parse(settings)
            made_from.write_text(sources, "utf-8")
    return path


def main() -> int:
    """Make the manifest; the exit status. A failure is left to the run: its message is about the run's settings."""
    try:
        prepared_manifest()
    except PipelineError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
