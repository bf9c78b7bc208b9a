from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.layout_drafting.inspection import inspect
from tests.layout_drafting.drafting import Drafter, Guessed
from tests.support.export_folder import Desk
from tests.support.loading_fixtures import connection, plain_desk, plain_file_without_rows

__all__ = ["connection", "draft", "guessed", "plain_desk", "plain_file_without_rows"]


@pytest.fixture
def desk(plain_desk: Desk) -> Desk:
    """What a draft loads is the same in any store."""
    return plain_desk


@pytest.fixture
def draft(tmp_path: Path) -> Drafter:
    """Drafts the layout of a file with this content."""

    def of(content: str | bytes, name: str = "ACME_export_20240611.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return inspect(str(path))

    return of


@pytest.fixture
def guessed(draft: Drafter) -> Guessed:
    """The same, read as YAML."""

    def of(content: str | bytes, name: str = "ACME_export_20240611.csv") -> dict[str, Any]:
        return yaml.safe_load(draft(content, name))

    return of
