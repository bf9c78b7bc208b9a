"""People on the list are read correctly, kept out of `raw`, counted, and never revealed."""

from pathlib import Path

import pytest

from pipeline.erasure.rows import find_events, forget_ledger, forget_rows
from pipeline.erasure.search_terms import count_in, make_search_terms
from pipeline.errors import SettingsError
from pipeline.export_dates import EVERY_DATE
from pipeline.exports.discovery import discover
from pipeline.exports.loading import Loaded, load
from pipeline.exports.row_accounting import rows_accounted_for
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.models.run_span import suppressed_people
from pipeline.privacy.digests import LISTED, is_suppressed
from pipeline.privacy.suppression import any_suppressed, refresh
from pipeline.privacy.suppression_list import Suppressed, check
from pipeline.warehouse import Warehouse
from tests.support.export_folder import CODED, LOADABLE, NOW, Desk, layout

EVENTS = layout(
    **CODED,
    columns={
        "WHO": "user_id",
        "MAIL": "email",
        "LIST": "list_id",
        "SID": "selligent_user_id",
        "LINK": "link_name",
        "AT": "timestamp",
    },
)
CONTACTS = layout(
    name="contacts",
    files="contacts.*",
    kind="contacts",
    event=None,
    columns={"LIST": "list_id", "SID": "selligent_user_id", "WHO": "user_id", "MAIL": "email"},
)
HEADER = "WHO,MAIL,LIST,SID,LINK,AT,WHAT,NOTE\n"
AT = "2024-06-11T09:15:10"


class Listing(Desk):
    """A desk with a list beside it."""

    @property
    def list(self) -> Path:
        return self.folder.parent / "suppressed.csv"

    def suppress(self, content: str | bytes) -> Suppressed:
        self.list.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.read_list()

    def read_list(self) -> Suppressed:
        return refresh(self.connection, str(self.list), NOW)

    def take(self, *, reload: bool = False) -> Loaded:
        """A run of the raw asset."""
        self.read_list()
        seen = discover(self.location, self.layouts, LOADABLE)
        return load(self.connection, self.location, seen, reload=reload, now=NOW)

    def listed(self) -> set[tuple[str, str]]:
        return set(self.connection.execute(f"SELECT kind, value FROM {LISTED}").fetchall())

    def is_out(self, user_id: str | None = None, email: str | None = None, contact: str | None = None) -> bool:
        list_id, selligent_user_id = contact.split("/") if contact else (None, None)
        found = self.connection.execute(
            f"SELECT {is_suppressed('u', 'e', 'l', 's')} FROM (SELECT CAST(? AS VARCHAR) AS u, "
            "CAST(? AS VARCHAR) AS e, CAST(? AS VARCHAR) AS l, CAST(? AS VARCHAR) AS s)",
            [user_id, email, list_id, selligent_user_id],
        ).fetchone()
        assert found is not None
        return bool(found[0])


@pytest.fixture
def desk(plain_desk: Desk) -> Listing:
    """Where it does not matter how rows are stored: tests/end_to_end/test_forget.py has both kinds of warehouse."""
    return Listing(plain_desk.connection, plain_desk.folder, EVENTS, CONTACTS)


@pytest.fixture
def lake_desk(desk_in_lake: Desk) -> Listing:
    """Where commits are counted."""
    return Listing(desk_in_lake.connection, desk_in_lake.folder, EVENTS, CONTACTS)


# The list


@pytest.mark.parametrize(
    ("content", "people"),
    [
        ("user_id,email\nann,Ann@X.org\n", {("user_id", "ann"), ("email", "ann@x.org")}),
        ("\ufeffEMAIL\nann@x.org\n\nbob@x.org", {("email", "ann@x.org"), ("email", "bob@x.org")}),
        ("name, User_Id \r\nAnn,\t ann \r\n\r\nBob,\r\n", {("user_id", "ann")}),
        ('"Email";"User_ID"\n"a,b@x.org";"7"\n', {("email", "a,b@x.org"), ("user_id", "7")}),
        ("user_id\nAnn\nann\nann\n", {("user_id", "Ann"), ("user_id", "ann")}),
        ("email\n", set()),
    ],
)
def test_a_list_is_read_as_people_write_lists(desk: Listing, content: str, people: set[tuple[str, str]]) -> None:
    counted = desk.suppress(content)
    assert desk.listed() == people
    assert counted.user_ids + counted.emails == len(people)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "neither a column user_id nor a column email"),
        (b"name\nsecret-ann\n", "neither a column user_id nor a column email"),
        (b"user_id,email\nsecret-ann\n", "line 2 can't be read as a row of CSV in UTF-8"),
        (b"user_id,email\nann,a@x.org\nsecret-ann,b,c\n", "line 3 can't be read as a row of CSV in UTF-8"),
        (b"user_id\nann\nsecret-\xff\n", "is not in UTF-8"),
        (b"user_id\n" + b"ann\n" * 10_000 + b"secret-\xff\n", "line 10002 can't be read as a row of CSV in UTF-8"),
        (b"\xff\xfeu\x00s\x00", "is not in UTF-8"),
        (b"email,user_id\nann@x.org,ann\nsecret-7,bob@x.org\n", "1 values in the column email have no @"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_without_a_word_of_it(
    lake_desk: Listing, content: bytes, words: str
) -> None:
    desk = lake_desk
    """A line that is passed over would be a person who is delivered."""
    commits = desk.commits()
    with pytest.raises(SettingsError, match=f"^SELLIGENT_SUPPRESSED: .*{words}") as refused:
        desk.suppress(content)
    assert "secret-" not in str(refused.value)
    assert desk.commits() == commits


def test_a_list_that_is_not_there_is_named_unless_its_url_could_hold_a_password(tmp_path: Path) -> None:
    check(None)
    with pytest.raises(SettingsError, match=f"^SELLIGENT_SUPPRESSED: there is no file {tmp_path}/list.csv$"):
        check(f"{tmp_path}/list.csv")
    with pytest.raises(SettingsError, match=r"^SELLIGENT_SUPPRESSED: the memory:// file can't be read") as refused:
        check("memory://hunter2@nowhere/list.csv")
    assert "hunter2" not in str(refused.value)


# raw.suppressed


def test_the_table_holds_hashes_and_follows_the_list(lake_desk: Listing) -> None:
    desk = lake_desk
    desk.suppress("user_id,email\nann,\n,Bob@x.org\n")
    assert [desk.is_out(user_id=" ann"), desk.is_out(email="BOB@X.ORG "), desk.is_out(contact="1/2")] == [
        True,
        True,
        False,
    ]
    assert not desk.is_out(user_id="Ann")
    assert not desk.is_out(user_id="bob@x.org", email="ann")
    stored = str(desk.connection.execute("SELECT * FROM raw.suppressed").fetchall()).lower()
    assert "ann" not in stored
    assert "bob" not in stored

    commits = desk.commits()
    desk.read_list()
    assert desk.commits() == commits, "the same list leaves no trace"

    desk.suppress("user_id\nzoe\n")
    assert [desk.is_out(user_id="ann"), desk.is_out(user_id="zoe")] == [False, True]
    assert refresh(desk.connection, None, NOW) == Suppressed()
    assert not desk.is_out(user_id="zoe")


def test_a_contact_is_known_from_a_lookup_that_came_before_the_list_and_goes_with_its_person(desk: Listing) -> None:
    desk.put("contacts.csv", "LIST,SID,WHO,MAIL\n1,23,ann,\n12,3,bob,bob@x.org\n")
    desk.load()
    desk.suppress("email\nbob@x.org\n")
    assert [desk.is_out(contact="12/3"), desk.is_out(contact="1/23")] == [True, False]
    desk.suppress("user_id\nann\n")
    assert [desk.is_out(contact="12/3"), desk.is_out(contact="1/23")] == [False, True]


def test_a_contact_whose_lookup_row_was_kept_out_is_known_again_after_a_run_with_half_a_list(desk: Listing) -> None:
    """The row is in no table, so what was learnt from it must outlive a list that lacks the person for once."""
    desk.put("contacts.csv", "LIST,SID,WHO,MAIL\n1,23,,ann@x.org\n")
    desk.suppress("email\nann@x.org\n")
    desk.take()
    desk.connection.execute("UPDATE raw.suppressed SET modelled_at = now()")
    assert refresh(desk.connection, None, NOW) == Suppressed()
    assert (desk.is_out(contact="1/23"), any_suppressed(desk.connection)) == (False, False)
    assert suppressed_people(desk.connection) == "no"
    desk.suppress("email\nann@x.org\n")
    assert desk.is_out(contact="1/23")
    assert suppressed_people(desk.connection) == "new"


def test_a_lookup_row_of_a_person_without_a_contact_matches_no_other_row_without_one(desk: Listing) -> None:
    desk.put("contacts.csv", 'LIST,SID,WHO,MAIL\n" "," ",ann,\n7," ",ann,\n7,1,ann,\n')
    desk.put("opens.csv", HEADER + f'bob,," "," ",,{AT},OPEN,\nbob,,7," ",,{AT},OPEN,\nbob,,7,1,,{AT},OPEN,\n')
    desk.suppress("user_id\nann\n")
    desk.take()
    assert desk.events("row_number") == [1, 2]


# raw


def test_rows_of_the_list_are_counted_and_not_kept(desk: Listing) -> None:
    desk.put("contacts.csv", "LIST,SID,WHO,MAIL\n1,23,,ANN@x.org\n1,24,bob,\n,,,ann@x.org\n")
    desk.put(
        "opens.csv",
        HEADER
        + f"ann,,,,,{AT},OPEN,\n"
        + f",Ann@X.org,,,,{AT},OPEN,\n"
        + f",,1,23,,{AT},OPEN,\n"
        + f"ann,,,,,{AT},SENT,skipped\n"
        + f"ann,,,,,{AT},WHAT,rejected\n"
        + "ann,half\n"
        + f"x,,,,,{AT},ann@x.org,shifted\n"
        + f"bob,,1,24,mailto:ann@x.org,{AT},OPEN,\n"
        + f"bob,,,,,{AT},OPEN,see Ann@x.org.\n"
        + f"bob,,,,ann,{AT},OPEN,kept\n"
        + f"bob,,,,,{AT},WHAT,rejected\n"
        + "bob,half\n",
    )
    desk.suppress("user_id,email\nann,ann@x.org\n")
    loaded = desk.take()

    assert {file.name: (file.rows, file.rejected, file.suppressed) for file in loaded.files} == {
        "contacts.csv": (3, 0, 2),
        "opens.csv": (12, 2, 7),
    }
    assert desk.events("row_number", "user_id", "link_name", "extra") == [
        (7, "bob", None, None),
        (8, "bob", None, None),
        (9, "bob", "ann", '{"NOTE":"kept"}'),
        (10, "bob", None, '{"NOTE":"rejected"}'),
    ]
    assert desk.lookups("selligent_user_id", "user_id") == [("24", "bob")]
    assert desk.rejected("line", "text") == [(12, f"bob,,,,,{AT},WHAT,rejected"), (13, "bob,half")]
    accounts = rows_accounted_for(desk.connection, EVERY_DATE)
    assert accounts.holds, accounts
    assert accounts.numbers == {"rows": 15}


def test_urls_user_agents_and_properties_of_others_do_not_name_a_listed_person(desk: Listing) -> None:
    named = {"URL": "link_url", "AGENT": "user_agent"}
    desk.layouts = (
        layout(columns=layout().columns | named, properties={"NOTE": "note", "N": {"name": "n", "type": "integer"}}),
    )
    desk.put(
        "opens.csv",
        "CUSTOMER,MAIL,SUBJECT,OPENED_AT,URL,AGENT,NOTE,N\n"
        f"bob,,,{AT},https://x.org/?m=ann@x.org,Mozilla,none,1\n"
        f"cat,,,{AT},https://x.org/,ann@x.org's phone,none,2\n"
        f"dan,,,{AT},https://x.org/,Mozilla,for Ann@x.org.,3\n"
        f"eve,,,{AT},https://x.org/,Mozilla,for ann,4\n",
    )
    desk.suppress("email\nann@x.org\n")
    desk.take()
    assert desk.events("user_id", "link_url", "user_agent", "properties") == [
        *((who, None, None, None) for who in ("bob", "cat", "dan")),
        ("eve", "https://x.org/", "Mozilla", '{"note":"for ann","n":4}'),
    ]


def test_people_are_left_out_however_invisible_characters_surround_them(desk: Listing) -> None:
    desk.put("contacts.csv", "LIST,SID,WHO,MAIL\n1\0, 23,,\ufeffann@x.org\n1,24,bob,\n")
    desk.put(
        "opens.csv",
        HEADER
        + f"ann\u200b,,,,,{AT},OPEN,\n"
        + f",\0Ann@X.org\u00ad,,,,{AT},OPEN,\n"
        + f",,\u20601,23\u3000,,{AT},OPEN,\n"
        + f"x,,,,,{AT},WHAT,\u202eann@x.org\u202c\n"
        + "half,mailto:ann@x.org\u200b\n"
        + f"bob,,,,the shop of\u200bann@x.org\u200d!,{AT},OPEN,\n",
    )
    assert desk.suppress("user_id,email\n\u200eann,\0ann@x.org\u00a0\n") == Suppressed(1, 1)
    desk.take()
    assert desk.events("user_id", "link_name") == [("bob", None)]
    assert desk.rejected("text") == []
    assert [row[0] for row in desk.files("suppressed", "name")] == [1, 5]


def test_values_of_several_words_are_found_in_texts_too(desk: Listing) -> None:
    """An address can have an apostrophe, and ids of login services have bars and colons."""
    desk.put(
        "opens.csv",
        HEADER
        + "auth0|5f7c8ec7c33,half\n"
        + ",O'Brien@x.org\n"
        + f"x,,,,,{AT},o'brien@x.org,shifted\n"
        + f"bob,,,,mailto:o'brien@x.org!,{AT},OPEN,\n"
        + f"bob,,,,mailto:brien@x.org,{AT},OPEN,\n"
        + "auth0|5f7c8ec7c34,half\n",
    )
    desk.suppress("user_id,email\nauth0|5f7c8ec7c33,o'brien@x.org\n")
    desk.take()
    assert desk.rejected("text") == ["auth0|5f7c8ec7c34,half"]
    assert desk.events("link_name") == [None, "mailto:brien@x.org"]
    assert rows_accounted_for(desk.connection, EVERY_DATE).holds


def test_a_reload_keeps_out_who_was_listed_meanwhile_and_the_numbers_say_so(desk: Listing) -> None:
    desk.put("opens.csv", HEADER + f"ann,,,,,{AT},OPEN,\nbob,,,,,{AT},OPEN,\n")
    desk.suppress("user_id\nmax\n")
    desk.take()
    desk.suppress("user_id\nann\n")
    assert desk.take().unchanged == 1
    assert desk.events("user_id") == ["ann", "bob"]
    desk.take(reload=True)
    assert desk.events("user_id") == ["bob"]
    assert rows_accounted_for(desk.connection, EVERY_DATE).holds
    desk.connection.execute("DELETE FROM raw.events")
    assert "1 suppressed" in rows_accounted_for(desk.connection, EVERY_DATE).sentence


@pytest.mark.parametrize("kind", ["ducklake:sqlite:{}/warehouse.sqlite", "{}/warehouse.duckdb"])
def test_a_warehouse_of_a_former_version_is_brought_up_to_date(tmp_path: Path, kind: str) -> None:
    warehouse = Warehouse(kind.format(tmp_path), f"{tmp_path}/files/")
    with warehouse.writing() as connection:
        connection.execute("INSERT INTO raw.export_files (name, rows) VALUES ('a.csv', 1)")
        connection.execute("DELETE FROM raw.origin WHERE name = 'schema_version'")
        connection.execute("ALTER TABLE raw.export_files DROP COLUMN suppressed")
        connection.execute("DROP TABLE raw.suppressed")
        connection.execute("DROP TABLE delivery.withheld_dates; DROP TABLE delivery.forgotten_events")
        connection.execute("ALTER TABLE delivery.batches DROP COLUMN first_attempt_at")
        connection.execute("ALTER TABLE delivery.dead_events DROP COLUMN batch_id")
    for _ in range(2):
        with warehouse.writing() as connection:
            assert connection.execute("SELECT name, suppressed FROM raw.export_files").fetchall() == [("a.csv", 0)]
            mirror_into(connection, Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"), EVERY_DATE)
            assert connection.execute("SELECT first_attempt_at FROM delivery.batches").fetchall() == []
            assert connection.execute("FROM delivery.events").fetchall() == []
            assert refresh(connection, None, NOW) == Suppressed()


# Forgetting


def forget(desk: Listing) -> dict[str, int]:
    """What the command does to the tables."""
    ledger = Ledger(f"sqlite:///{desk.folder.parent}/ledger.sqlite")
    desk.read_list()
    make_search_terms(desk.connection)
    find_events(desk.connection, "segment")
    forget_ledger(desk.connection, ledger, NOW)
    return forget_rows(desk.connection, ledger, "segment")


def test_a_rejected_row_that_has_the_number_of_a_forgotten_contact_somewhere_is_left_alone(desk: Listing) -> None:
    desk.put("contacts.csv", "LIST,SID,WHO,MAIL\n1,4,,ann@x.org\n")
    desk.put(
        "opens.csv",
        HEADER + ",,1,4,,yesterday,OPEN,\n" + "bob4,,,,,yesterday,OPEN,\n" + ",,1,5,,yesterday,OPEN,\n",
    )
    desk.load()
    desk.suppress("email\nann@x.org\n")
    forget(desk)
    assert desk.rejected("line") == [3, 4]
    assert rows_accounted_for(desk.connection, EVERY_DATE).holds


def test_another_person_whose_address_ends_alike_keeps_it_where_one_is_forgotten(desk: Listing) -> None:
    """Messages would be sent to `mary.(forgotten)`."""
    mary = '{"userId":"mary.ann@x.org","properties":{"link_name":"x"}}'
    bob = '{"userId":"bob","properties":{"link_name":"mailto:Ann@x.org."}}'
    desk.connection.execute("INSERT INTO delivery.outbox (id, dead_because) VALUES ('1', ?), ('2', ?)", [mary, bob])
    desk.put("opens.csv", HEADER + f"bob,,,,,{AT},OPEN,ann@x.org ann@x.org\nbob,,,,,{AT},OPEN,ann@x.org.uk\n")
    desk.load()
    desk.suppress("email\nann@x.org\n")
    forget(desk)
    assert desk.connection.execute("SELECT dead_because FROM delivery.outbox ORDER BY id").fetchall() == [
        (mary,),
        ('{"userId":"bob","properties":{"link_name":"mailto:(forgotten)."}}',),
    ]
    assert desk.events("extra") == ['{"NOTE":"(forgotten) (forgotten)"}', '{"NOTE":"ann@x.org.uk"}']


@pytest.mark.parametrize("value", ["o'brien@x.org", "auth0|5f7c8ec7c33", "(crm:4711=zoe)", "Zoe von Zonder"])
def test_what_is_forgotten_in_texts_is_not_found_afterwards(desk: Listing, value: str) -> None:
    desk.put("opens.csv", HEADER + f"bob,,,,see {value},{AT},OPEN,see <{value}>.\n")
    desk.load()
    desk.suppress(f"{'email' if '@' in value else 'user_id'}\n{value}\n")
    make_search_terms(desk.connection)
    assert count_in(desk.connection, "raw.events") > 0
    forget(desk)
    assert count_in(desk.connection, "raw.events") == 0
    assert value not in str(desk.events("link_name", "extra"))
