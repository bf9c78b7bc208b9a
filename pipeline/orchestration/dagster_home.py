"""Dagster's home: its configuration and its history."""

import os
from pathlib import Path
from uuid import uuid4

from pipeline.orchestration.system_errors import naming
from pipeline.settings import INSTALLATION_DIR

_CONFIG = """\
# Created on first use; change it as you like.
telemetry:
  enabled: false
nux:
  enabled: false  # no dialog that asks for an email address
concurrency:
  runs:
    max_concurrent_runs: 3  # history may take hours, and today must not wait for it
    tag_concurrency_limits:
      - key: dagster/partition  # never two runs of one date
        value: {applyLimitPerUniqueValue: true}
        limit: 1
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  cancel_timeout_seconds: 300
  max_runtime_seconds: 172800  # a run that hangs is ended after two days; the next one completes its work
"""


def dagster_home() -> Path:
    """DAGSTER_HOME, or `data/dagster`, with a configuration; the variable is set for this process and its children."""
    home = Path(os.environ.setdefault("DAGSTER_HOME", str(INSTALLATION_DIR / "dagster")))
    home.mkdir(parents=True, exist_ok=True)
    config = home / "dagster.yaml"
    if not config.exists():
        whole = home / f".{uuid4().hex}.yaml"  # another process may be reading it
        with naming(config):
            whole.write_text(_CONFIG, "utf-8")
            whole.rename(config)
    return home
