"""What a person at a terminal reads: answers on stdout, and on stderr what happens meanwhile and what is odd.

Names, codes and answers come from outside, so text is never markup, and a terminal never obeys it.
"""

import os
from contextlib import suppress
from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline.masking import printable


class SafeConsole(Console):
    """Prints strings as they are, but for characters that a terminal would obey: these are shown as escapes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, soft_wrap=True, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """A string as text that is printed: rich makes one of every string that it is given, cells of tables too."""
        return super().render_str(printable(text, kept="\n"), **options)

    def on_broken_pipe(self) -> None:
        """Be silent from now on: rich would end the program, and with it a run that its reader has left."""
        self.quiet = True
        with suppress(OSError, ValueError):  # a file of its own has no descriptor
            # Else Python, too, would find at its end that what it holds back can't be written.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


out = SafeConsole()
if not out.is_terminal:
    out.width = 200  # a file or another program has no edge to wrap at
err = SafeConsole(stderr=True)
