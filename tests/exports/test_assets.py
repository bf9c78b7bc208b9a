"""What a step tells of its files."""

from datetime import date

from pipeline.exports.assets import files_as_markdown
from pipeline.exports.loading import Loaded, LoadedFile

DAY = date(2024, 6, 11)


def test_files_are_told_in_a_table() -> None:
    loaded = Loaded(
        [
            LoadedFile("opens.csv", DAY, "events", "loaded", rows=12_345, skipped=1_000, rejected=7, suppressed=2),
            LoadedFile("bounces.csv", DAY, None, "refused", reason="line 1: the header has no column 'A|B'"),
        ],
        unchanged=3,
    )
    assert files_as_markdown(loaded).splitlines() == [
        "| date | file | became | rows | skipped | rejected | suppressed | why |",
        "| --- | --- | --- | --: | --: | --: | --: | --- |",
        "| 2024-06-11 | opens.csv | loaded | 12,345 | 1,000 | 7 | 2 |  |",
        "| 2024-06-11 | bounces.csv | refused | 0 | 0 | 0 | 0 | line 1: the header has no column 'A\\|B' |",
    ]


def test_a_name_does_not_break_the_table() -> None:
    table = files_as_markdown(Loaded([LoadedFile("a|b.csv", DAY, "events", "loaded")], 0))
    assert "| a\\|b.csv |" in table


def test_no_files_are_told_in_a_sentence() -> None:
    assert files_as_markdown(Loaded([], 4)) == "Nothing was new."
