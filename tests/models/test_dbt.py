"""dbt by hand: `python -m pipeline.models.dbt`."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from pipeline.models import dbt
from tests.settings.environment import Environment
from tests.support.warehouses import ducklake_in

VARIABLE = "DBT_DECLARED_PROPERTIES"


@pytest.mark.parametrize("is_there", [False, True])
def test_models_know_the_properties_of_the_warehouse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """Otherwise a full refresh would drop their columns."""
    warehouse = ducklake_in(tmp_path)
    if is_there:
        with warehouse.writing() as connection:
            connection.execute("INSERT INTO raw.properties VALUES ('Email Bounced', 'a/b', 'a_b', 'integer')")
    Environment(monkeypatch, tmp_path / ".env").load(WAREHOUSE=warehouse.location, WAREHOUSE_FILES=warehouse.files)
    monkeypatch.setenv(VARIABLE, "{}")
    given: list[str] = []

    def run_dbt(_warehouse: object, arguments: list[str]) -> "subprocess.CompletedProcess[str]":
        given.extend(arguments[:2])
        return subprocess.CompletedProcess(arguments, 3)

    monkeypatch.setattr(dbt, "run_dbt", run_dbt)
    monkeypatch.setattr("sys.argv", ["dbt", "build", "--full-refresh"])
    assert dbt.main() == 3
    assert given == ["build", "--full-refresh"]
    expected = {"name": "a/b", "column": "a_b", "type": "integer", "sql_type": "BIGINT", "pointer": "/a~1b"}
    assert json.loads(os.environ[VARIABLE]) == ({"Email Bounced": [expected]} if is_there else {})
