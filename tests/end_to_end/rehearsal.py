"""A build of a small dbt project: dbt makes schemas and readers of its classes when it first needs them, and processes
that are forked afterwards have them.
"""

import inspect
import os
from pathlib import Path
from tempfile import TemporaryDirectory

PROFILE = 'rehearsal: {target: dev, outputs: {dev: {type: duckdb, path: ":memory:", threads: 1}}}'
PROJECT = """
name: rehearsal
version: "1.0.0"
profile: rehearsal
flags: {send_anonymous_usage_stats: false}
on-run-end: "{{ log('') }}"
"""
OF_MODELS = """
sources: [{name: given, tables: [{name: numbers, columns: [{name: n, description: '{{ doc("n") }}'}]}]}]
models: [{name: one, config: {post-hook: select 1}, columns: [{name: n, data_tests: [not_null]}]}]
"""
FILES = {
    "dbt_project.yml": PROJECT,
    "profiles.yml": PROFILE,
    "models/models.yml": OF_MODELS,
    "models/columns.md": "{% docs n %}A number.{% enddocs %}",
    "models/one.sql": "{{ config(materialized='incremental', unique_key='n') }} select 1 as n",
    "models/two.sql": "select n from {{ ref('one') }}",
    "tests/none_is_negative.sql": "select n from {{ ref('two') }} where n < 0",
}


def rehearse() -> None:
    """Parse the project, read what was parsed, and build it in memory."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    inspect.stack()  # finds the module of every file, once; dbt asks who calls it
    with TemporaryDirectory(prefix="rehearsal_") as folder:
        for name, text in FILES.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
        os.environ["DBT_LOG_PATH"] = folder
        # The static parser has threads of its own, for which a forked process would wait.
        options = ["--quiet", "--no-use-colors", "--log-level", "none", "--no-static-parser"]
        folders = ["--project-dir", folder, "--profiles-dir", folder, "--target-path", f"{folder}/target"]
        try:
            for command in ("parse", "build"):
                done = dbtRunner(callbacks=[lambda _event: None]).invoke([*options, command, *folders])
                assert done.success, done.exception
        finally:
            DuckDBConnectionManager.close_all_connections()
            del os.environ["DBT_LOG_PATH"]
