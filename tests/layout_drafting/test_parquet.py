"""A draft of a layout for Parquet loads the file that it was made from."""

import gzip
from pathlib import Path

import duckdb
import pytest
import yaml

from pipeline.errors import InspectionRefused
from tests.layout_drafting.drafting import Drafter
from tests.support.export_folder import Desk, layout

QUERY = """
    SELECT 7700 + i AS CUSTOMER_ID, 'zoe' || i || '@example.com' AS MAIL, 'Soldes' AS SUBJECT, {'os': 'iOS'} AS DEVICE,
        TIMESTAMPTZ '2024-06-11 09:15:10+02' + to_seconds(i) AS OPENED_AT
    FROM range(3000) AS r(i)
"""


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    path = tmp_path / "written.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({QUERY}) TO '{path}' (FORMAT parquet)")
    return path.read_bytes()


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_parquet_file_is_drafted_and_then_loaded(draft: Drafter, desk: Desk, content: bytes, packed: bool) -> None:
    name = "ACME_opens_20240611.parquet" + (".gz" if packed else "")
    content = gzip.compress(content) if packed else content
    text = draft(content, name)
    assert "made from its first 2,000 rows" in text
    assert "zoe0@example.com" not in text
    drafted = yaml.safe_load(text)
    assert drafted["format"] == "parquet"
    assert not {"encoding", "delimiter", "quote", "header"} & set(drafted)
    assert drafted["columns"] == {
        "CUSTOMER_ID": "user_id",
        "MAIL": "email",
        "SUBJECT": "email_subject",
        "OPENED_AT": "timestamp",
    }
    desk.layouts = (layout(**drafted | {"event": "Email Opened", "timezone": None}),)
    desk.put(name, content)
    [file] = desk.load().files
    assert (file.status, file.rows, file.rejected) == ("loaded", 3000, 0)


def test_a_parquet_file_that_is_cut_off_is_refused(draft: Drafter, content: bytes) -> None:
    with pytest.raises(
        InspectionRefused, match=r"opens.parquet: can't be read as parquet, so it is cut off or damaged"
    ):
        draft(content[:5000], "opens.parquet")
