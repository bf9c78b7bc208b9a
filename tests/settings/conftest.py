from pathlib import Path

import pytest

from tests.settings.environment import Environment


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    return Environment(monkeypatch, tmp_path / ".env")
