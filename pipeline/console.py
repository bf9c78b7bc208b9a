"""Output to a terminal: results on stdout, progress and warnings on stderr.

Names, codes and responses come from outside, so text is never markup, and control characters are escaped.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline.masking import printable


class SafeConsole(Console):
    """Prints strings as they are, with escapes in place of characters that a terminal would interpret."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, soft_wrap=True, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """The text that rich makes of every string it prints, cells of tables included."""
        return super().render_str(printable(text, kept="\n"), **options)

    @contextmanager
    def uncaptured(self) -> Iterator[None]:
        """Print to where the output goes now, even while this process's output is captured.

        Dagster redirects the output of a run to files, and ends the `tail` that prints them without waiting for their
        last lines.
        """
        try:
            descriptor = os.dup(self.file.fileno())
        except (OSError, ValueError):  # a file object in memory has no descriptor, and a closed one none either
            yield
            return
        captured, self.file = self._file, os.fdopen(descriptor, "w", encoding=self.encoding, errors="replace")
        try:
            yield
        finally:
            with suppress(OSError):  # a full disk, which was noticed when the line was printed
                self.file.close()
            self._file = captured

    def on_broken_pipe(self) -> None:
        """Print nothing from now on: by default, rich would end the program, and with it the run."""
        self.quiet = True
        with suppress(OSError, ValueError):  # a file object in memory has no descriptor
            # Otherwise Python would fail on exit, when it flushes its buffers.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


out = SafeConsole()
if not out.is_terminal:
    out.width = 200  # a file or another program has no width to wrap at
err = SafeConsole(stderr=True)
