"""What `sql` prints for a query: nothing that a terminal obeys or a spreadsheet runs."""

import io

import pytest

from pipeline.commands.output_filter import pass_on


def passed_on(text: str, output: str | None) -> str:
    written = io.StringIO()
    pass_on(io.StringIO(text, newline=""), output, written)
    return written.getvalue()


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=1+1", "'=1+1"),
        ('"=HYPERLINK(""https://evil.example.com"")"', '"\'=HYPERLINK(""https://evil.example.com"")"'),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-5-cmd", "'-5-cmd"),
        ("+31 20 123", "'+31 20 123"),
        ("-5", "-5"),
        ("+1.5e-3", "+1.5e-3"),
        ("-.5", "-.5"),
        ("a=b", "a=b"),
        ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
        ('"two\nlines, =1"', '"two\nlines, =1"'),
        ("\t=1", "'\t=1"),
        ("txt\u202e", "txt\\u202e"),
    ],
)
def test_a_spreadsheet_runs_no_cell_and_numbers_stay_numbers(cell: str, shown: str) -> None:
    assert passed_on(f"id,{cell},1\n", "csv") == f"id,{shown},1\n"


@pytest.mark.parametrize("output", [None, "box", "markdown"])
def test_a_terminal_obeys_no_cell(output: str | None) -> None:
    assert passed_on("| \x1b[2J |\n| b |\n", output) == "| \\x1b[2J |\n| b |\n"


def test_json_stays_json() -> None:
    assert passed_on('[{"a":"\\u001b=1"}]\n', "json") == '[{"a":"\\u001b=1"}]\n'
