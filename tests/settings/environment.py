"""An environment without any setting but those that a test sets."""

from pathlib import Path

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import Settings, load_settings

SECRET = "hunter2-hunter2"
NAMES = [name.upper() for name in Settings.model_fields]


class Environment:
    """An environment without any setting but those that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
        self._monkeypatch = monkeypatch
        self.env_file = env_file
        monkeypatch.setitem(Settings.model_config, "env_file", env_file)
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)

    def load(self, **values: str) -> Settings:
        for name, value in values.items():
            self._monkeypatch.setenv(name, value)
        return load_settings()

    def refusal(self, **values: str) -> str:
        with pytest.raises(SettingsError) as refused:
            self.load(**values)
        return str(refused.value)
