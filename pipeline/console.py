"""Output to a terminal: results on stdout, progress and warnings on stderr.

Names, codes and responses come from outside, so text is never markup, and control characters are escaped.
"""

import os
from contextlib import suppress
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
