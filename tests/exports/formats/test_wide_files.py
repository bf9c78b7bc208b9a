"""Files of many columns: DuckDB's memory ran out, and each run of their date failed."""

import pytest

from tests.support.export_folder import HEADER, NAMES, ZOE, Desk, Reader


def names(number: int) -> list[str]:
    return [*NAMES, *(f"X{position}" for position in range(number - len(NAMES)))]


def rows(number: int, values: int) -> str:
    return (ZOE.strip() + ",value" * (values - len(NAMES)) + "\n") * number


@pytest.mark.parametrize("columns", [500, 600])
def test_what_memory_bears_is_loaded(read: Reader, columns: int) -> None:
    reading = read(",".join(names(columns)) + "\n" + rows(20_000, columns))
    assert reading.counts == ("loaded", 20_000, 0, 0)
    assert f'"X{columns - len(NAMES) - 1}":"value"' in reading.all("extra")[-1]


@pytest.mark.parametrize("columns", [601, 5_000, 200_000])
def test_more_columns_are_refused_and_other_files_of_the_date_are_loaded(desk: Desk, columns: int) -> None:
    desk.put("opens_1.csv", ",".join(names(columns)) + "\n" + rows(2, columns))
    desk.put("opens_2.csv", HEADER + ZOE)
    loaded = desk.load()
    assert [file.status for file in loaded.files] == ["refused", "loaded"]
    assert loaded.files[0].reason is not None
    assert loaded.files[0].reason.startswith(f"line 1: it has {columns:,} columns, and at most 600 are read")


def test_the_list_of_names_of_a_layout_may_be_too_long(read: Reader) -> None:
    reading = read(rows(2, 601), header=names(601))
    assert reading.file.status == "refused"
