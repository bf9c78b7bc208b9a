"""The file of the settings, `.env` or a brand's; one invalid line makes the whole file invalid."""

import io
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from pipeline.errors import SettingsError


def values_of(path: Path, *, must_exist: bool = False) -> Mapping[str, str | None]:
    """The values of a file, if it exists.

    Raises:
        SettingsError: it can't be read, a line is not a setting, or there is no file, and `must_exist`.
    """
    if (text := text_of(path)) is None:
        if must_exist:
            raise SettingsError(f"--env-file: {path}: there is no such file")
        return {}
    if lines := _unparsable_lines(text):
        raise SettingsError(  # without the line itself, which may contain a key
            f"{path.name}: line {', '.join(map(str, lines))} can't be parsed; write a setting as NAME=value, and "
            "close every quote"
        )
    return dotenv_values(stream=io.StringIO(text))


def text_of(path: Path) -> str | None:
    """The text of a file; None if there is none. Raises SettingsError: it can't be read."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path.name}: is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    except OSError as error:
        raise SettingsError(f"{path.name}: can't be read ({error.strerror})") from None


def _unparsable_lines(text: str) -> list[int]:
    faulty = [binding.original for binding in parse_stream(io.StringIO(text)) if binding.error]
    # python-dotenv counts blank lines before a line as part of it.
    return [found.line + len(found.string[: -len(found.string.lstrip())].splitlines()) for found in faulty]
