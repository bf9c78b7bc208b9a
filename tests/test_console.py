"""What comes from outside is neither markup nor a command where a terminal shows it."""

import io

import pytest
from rich.table import Table

from pipeline.console import SafeConsole, err, out
from pipeline.masking import file_name, printable
from tests.support.hostile import HOSTILE


def shown(thing: object, **options: object) -> str:
    written = io.StringIO()
    SafeConsole(file=written, width=500, **options).print(thing)
    return written.getvalue()


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_shows_what_it_would_obey_and_takes_nothing_for_markup(text: str) -> None:
    lines = shown(text).removesuffix("\n").split("\n")
    assert lines == printable(text, kept="\n").split("\n")
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[/b].csv", "[/b].csv"),
        ("\x1b]0;x\x07.csv", "\\x1b]0;x\\x07.csv"),
        ("invoice\u202evsc.exe", "invoice\\u202evsc.exe"),
        ("caf\udce9.csv", "caf\\udce9.csv"),
        ("two\nlines\t.csv", "two\\nlines\\t.csv"),
        ("Zoë – 日本 “x”.csv", "Zoë – 日本 “x”.csv"),
        ("of zoe@example.com.csv", "of z***@example.com.csv"),
        ("x" * 300, "x" * 254 + "…"),
    ],
)
def test_a_file_name_stands_on_one_line_and_names_no_person(text: str, line: str) -> None:
    assert file_name(text) == line


def test_cells_of_a_table_and_styled_text_are_safe_too() -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("[b]reason")
    table.add_row("[/b]\x1b[2J :warning:")
    assert [line.rstrip() for line in shown(table).splitlines()] == ["[b]reason", "[/b]\\x1b[2J :warning:"]
    assert "\\x1b]0;" in shown("\x1b]0;x", force_terminal=True)


def test_both_consoles_of_the_commands_are_safe(capsys: pytest.CaptureFixture[str]) -> None:
    for console in (out, err):
        console.print("[/b] \x1b[2J", style="yellow")
    printed = capsys.readouterr()
    assert printed.out == printed.err == "[/b] \\x1b[2J\n"
