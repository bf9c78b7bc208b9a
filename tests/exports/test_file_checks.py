"""Files of which many rows were rejected, and files that came twice."""

from datetime import date, timedelta

import pytest

from pipeline.export_dates import ExportDates
from pipeline.exports.file_checks import many_rejected, repeated_files, without_person
from pipeline.warehouse.loads import last_load_number
from tests.support.export_folder import EVERY_DATE, HALF, HEADER, NO_PERSON, ZOE, Desk

TUESDAY = date(2024, 6, 11)
OF_TUESDAY = ExportDates(TUESDAY, TUESDAY)


def had(desk: Desk, day: date, rows: int, rejected: int, layout_name: str = "opens") -> None:
    desk.connection.execute(
        "INSERT INTO raw.export_files (export_date, name, layout, kind, status, rows, rejected) "
        "VALUES (?, ?, ?, 'events', 'loaded', ?, ?)",
        [day, f"{layout_name}_{day}.csv", layout_name, rows, rejected],
    )


def test_a_file_of_which_most_rows_are_rejected_is_reported_with_the_reasons(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE * 7 + NO_PERSON * 80 + HALF * 3)
    desk.load()
    found = many_rejected(desk.connection, EVERY_DATE)
    assert found.numbers == {"files": 1, "rows": 83}
    assert found.sentence.startswith(
        "1 file with many rejected rows: opens.csv (83 of 90 rows, usually 0%, layout opens). Reasons: "
        "no person identified: neither user id, email address, nor list id with Selligent user id: 80 rows; the row "
        "has fewer columns than the header: 3 rows. raw.rejected_rows has the rows."
    )
    assert many_rejected(desk.connection, ExportDates(date(2024, 6, 12), date(2024, 6, 30))).holds


def test_values_in_reasons_are_not_shown(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + "".join(f"C-{n},zoe@example.com,Soldes,tomorrow {n}\n" for n in range(9)))
    desk.load()
    found = many_rejected(desk.connection, EVERY_DATE)
    assert "tomorrow" not in found.sentence
    assert ": 9 rows. raw.rejected_rows has the rows." in found.sentence


@pytest.mark.parametrize(
    ("rows", "rejected", "usual", "holds"),
    [
        (100, 5, 0, True),
        (100, 6, 0, False),
        (100, 40, 40, True),
        (100, 40, 30, False),
        (40, 4, 0, True),  # a few rows of a small file
        (4, 2, 0, False),
        (1000, 0, 0, True),
    ],
)
def test_a_file_is_compared_with_the_usual_share_of_its_layout(
    desk: Desk, rows: int, rejected: int, usual: int, holds: bool
) -> None:
    for week in range(1, 4):
        had(desk, TUESDAY - timedelta(weeks=week), 100, usual)
        had(desk, TUESDAY - timedelta(weeks=week), 100, 90, "clicks")
    had(desk, TUESDAY, rows, rejected)
    assert many_rejected(desk.connection, OF_TUESDAY).holds is holds


def test_a_file_that_came_twice_is_reported_once(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    assert repeated_files(desk.connection).holds
    before = last_load_number(desk.connection)
    desk.put("opens_again.csv", HEADER + ZOE)
    desk.load()
    found = repeated_files(desk.connection, before, OF_TUESDAY)
    assert found.sentence.startswith("1 file came twice: opens_again.csv is identical to opens.csv. ")
    assert repeated_files(desk.connection).numbers == {"files": 1}
    assert repeated_files(desk.connection, last_load_number(desk.connection)).holds


def test_a_file_without_a_column_of_the_person_is_reported_with_what_it_has_instead(desk: Desk) -> None:
    desk.put("opens.csv", (HEADER + ZOE).replace("MAIL", "E_MAIL", 1))
    desk.load()
    found = without_person(desk.connection, EVERY_DATE)
    assert found.numbers == {"files": 1}
    assert found.sentence.startswith(
        "1 file without a column that identifies the person: opens.csv ('MAIL' (the file has 'E_MAIL'), layout opens). "
    )
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    assert without_person(desk.connection, EVERY_DATE).holds
