"""People on the list are kept out of, and forgotten from, a file that is a lookup of contacts and events at once."""

import pytest

from pipeline.export_dates import EVERY_DATE
from pipeline.exports.row_accounting import rows_accounted_for
from tests.privacy.test_suppression import AT, CONTACTS, EVENTS, Listing, forget
from tests.support.export_folder import Desk, layout

# The events of a wide export name the person by the contact alone; only the lookup has the address.
_BY_CONTACT = {"LIST": "list_id", "SID": "selligent_user_id", "LINK": "link_name", "AT": "timestamp"}
OPENS = layout(**EVENTS.model_dump(exclude={"columns", "name", "files"}), columns=_BY_CONTACT, files="wide.*")
PEOPLE = layout(**CONTACTS.model_dump(exclude={"files"}), files="wide.*")
HEADER = "WHO,MAIL,LIST,SID,LINK,AT,WHAT\n"
ANN, BOB = (f"{who},{who}@x.org,1,{number},,{AT},OPEN\n" for number, who in enumerate(("ann", "bob"), start=1))
# The same contact where its row has no address.
ANN_AGAIN = f",,1,1,,{AT},SENT\n"
ANN_REJECTED = ",,1,1,,yesterday,OPEN\n"


@pytest.fixture
def desk(plain_desk: Desk) -> Listing:
    return Listing(plain_desk.connection, plain_desk.folder, OPENS, PEOPLE)


def counts(desk: Listing) -> list[tuple[str, int, int, int, int]]:
    return sorted(desk.files("layout", "rows", "skipped", "rejected", "suppressed"))


def test_an_event_is_kept_out_that_only_a_contact_of_the_same_file_knows_the_person_of(desk: Listing) -> None:
    desk.put("wide.csv", HEADER + ANN_AGAIN + BOB + ANN + ANN_REJECTED)
    desk.suppress("email\nann@x.org\n")
    desk.take()
    assert desk.events("selligent_user_id") == ["2"]
    assert desk.lookups("selligent_user_id", "email") == [("2", "bob@x.org")]
    assert desk.rejected() == []
    assert counts(desk) == [("contacts", 4, 0, 0, 3), ("opens", 4, 0, 0, 3)]
    assert rows_accounted_for(desk.connection, EVERY_DATE).holds


def test_a_person_is_forgotten_from_both_halves_of_a_file_and_the_numbers_of_each_layout_say_so(desk: Listing) -> None:
    desk.put("wide.csv", HEADER + ANN_AGAIN + BOB + ANN + ANN_REJECTED + "bob,half\n,,,4,,yesterday,OPEN\n")
    desk.load()
    assert counts(desk) == [("contacts", 6, 0, 2, 0), ("opens", 6, 1, 3, 0)]
    others = (desk.lookups("row_number")[1:2], desk.events("row_number")[1:2])
    desk.suppress("email\nann@x.org\n")
    forget(desk)
    assert desk.lookups("selligent_user_id") == ["2"]
    assert (desk.lookups("row_number"), desk.events("row_number")[:1]) == others
    assert desk.events("selligent_user_id") == ["2", "4"]
    assert sorted(desk.rejected("layout", "line")) == [("contacts", 6), ("contacts", 7), ("opens", 6), ("opens", 7)]
    assert counts(desk) == [("contacts", 6, 0, 2, 3), ("opens", 6, 0, 2, 3)]
    assert rows_accounted_for(desk.connection, EVERY_DATE).holds
    desk.take(reload=True)
    assert [row for row in counts(desk) if row[1]] == [("contacts", 6, 0, 2, 3)] * 2 + [("opens", 6, 0, 2, 3)] * 2
