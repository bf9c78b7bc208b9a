"""What a first start leaves: dbt's parsed project, and the storages of Dagster's home."""

import pipeline.definitions  # noqa: F401 - it has dbt parse its project
from pipeline.orchestration.instance import opened_instance

if __name__ == "__main__":
    with opened_instance():
        pass
