"""What a person at a terminal reads: answers on stdout, and on stderr what happens meanwhile and what is odd."""

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
if not out.is_terminal:
    out.width = 200  # a file or another program has no edge to wrap at
err = Console(stderr=True, highlight=False, soft_wrap=True)
