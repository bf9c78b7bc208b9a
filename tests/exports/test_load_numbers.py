"""The warehouse numbers its loads: which of two is the later one does not depend on any clock."""

from datetime import timedelta

from pipeline.exports.discovery import known_files
from pipeline.warehouse.loads import Load, last_load_number, newest_loads
from tests.exports.arrivals import DATED, HOUR, MONDAY, REFUSED, TUESDAY, zoe
from tests.support.export_folder import HEADER, NOW, WRITTEN, ZOE, Desk, layout

BACK = NOW - timedelta(hours=2)
LISTS = layout(
    name="lists", files="lists.*", kind="lists", event=None, columns={"LIST_ID": "list_id", "LIST_NAME": "list_name"}
)


def test_a_later_load_has_a_higher_number_though_the_clock_was_set_back(desk: Desk) -> None:
    desk.layouts = (layout(files=DATED),)
    desk.put("opens_20240610.csv", HEADER + ZOE)
    desk.put("opens_20240611.csv", HEADER + zoe("Tuesday"))
    desk.load()
    assert newest_loads(desk.connection) == {MONDAY: Load(1, NOW), TUESDAY: Load(1, NOW)}
    desk.put("opens_20240611_2.csv", HEADER + zoe("more of Tuesday"))
    desk.load(at=BACK)
    assert newest_loads(desk.connection) == {MONDAY: Load(1, NOW), TUESDAY: Load(2, BACK)}


def test_two_machines_whose_clocks_differ_take_turns(desk: Desk) -> None:
    for number, at in enumerate((NOW, BACK, NOW + HOUR, BACK), start=1):
        desk.put(f"opens_{number}.csv", HEADER + zoe(f"{number}"))
        desk.load(at=at)
        assert newest_loads(desk.connection) == {TUESDAY: Load(number, at)}


def test_a_load_that_finds_nothing_new_has_no_number(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    for _ in range(3):
        desk.load()
    assert last_load_number(desk.connection) == 1


def test_each_thing_that_is_noted_has_the_number_of_its_load(desk: Desk) -> None:
    desk.layouts = (layout(), LISTS)
    desk.put("opens.csv", HEADER + ZOE)
    desk.put("notes.txt", "of people")
    desk.load()
    desk.put("lists.csv", "LIST_ID,LIST_NAME\n12,Newsletter\n")
    desk.put("opens_2.csv", REFUSED)
    desk.load(at=BACK)
    assert desk.lookups("list_name", "load_number") == [("Newsletter", 2)]
    assert desk.files("name", "status", "load_number") == [
        ("lists.csv", "loaded", 2),
        ("notes.txt", "unmatched", 1),
        ("opens.csv", "loaded", 1),
        ("opens_2.csv", "refused", 2),
    ]


def test_bytes_that_were_refused_are_not_read_at_each_load_though_the_clock_was_set_back(desk: Desk) -> None:
    """The row of the bytes before them stays beside theirs, and has a later time."""
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    desk.put("opens.csv", REFUSED, WRITTEN + HOUR)
    desk.load(at=BACK)
    assert known_files(desk.connection)[TUESDAY, "opens.csv"]["opens"].status == "refused"
    assert desk.load(at=BACK).unchanged == 1


def test_a_file_that_has_become_a_copy_of_another_is_a_load_of_its_date(desk: Desk) -> None:
    """Its former rows are removed, which the models have to know, even after a kill."""
    desk.layouts = (layout(files=DATED),)
    desk.put("opens_20240610.csv", HEADER + ZOE)
    desk.put("opens_20240611.csv", HEADER + zoe("Tuesday"))
    desk.load()
    desk.put("opens_20240610.csv", HEADER + zoe("Tuesday"), WRITTEN + HOUR)
    desk.load(at=BACK)
    assert desk.files("name", "status") == [
        ("opens_20240610.csv", "duplicate"),
        ("opens_20240610.csv", "replaced"),
        ("opens_20240611.csv", "loaded"),
    ]
    assert newest_loads(desk.connection) == {MONDAY: Load(2, BACK), TUESDAY: Load(1, NOW)}


def test_a_warehouse_of_a_former_version_goes_on_with_the_first_number(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    desk.connection.execute("UPDATE raw.export_files SET load_number = NULL")
    assert (newest_loads(desk.connection), last_load_number(desk.connection)) == ({TUESDAY: Load(0, NOW)}, 0)
    desk.put("opens_2.csv", HEADER + zoe("more"))
    desk.load(at=BACK)
    assert newest_loads(desk.connection) == {TUESDAY: Load(1, BACK)}
