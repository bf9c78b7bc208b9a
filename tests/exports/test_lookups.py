"""Lookups give names to ids, and contacts say who a list's user is."""

from typing import Any

import pytest

from pipeline.catalog import LOOKUPS
from tests.support.export_folder import FEWER, Reader

LOOKED_UP = (
    "email_id",
    "email_subject",
    "campaign_id",
    "campaign_name",
    "link_id",
    "link_name",
    "list_id",
    "list_name",
    "selligent_user_id",
    "user_id",
    "email",
)


@pytest.mark.parametrize(
    ("kind", "content", "names"),
    [
        (
            "emails",
            "email_id,email_subject\n7743,Soldes d'été\n",
            {"email_id": "7743", "email_subject": "Soldes d'été"},
        ),
        ("campaigns", "campaign_name,campaign_id\nWeekly,05\n", {"campaign_id": "05", "campaign_name": "Weekly"}),
        ("links", 'LINK_ID,LINK_NAME\n2071,"a ""b"""\n', {"link_id": "2071", "link_name": 'a "b"'}),
        ("lists", "list_id,list_name,NOTE\n12,,new\n", {"list_id": "12"}),
        (
            "contacts",
            "list_id,selligent_user_id,user_id,email\n12,884301,C-1,zoe@example.com\n",
            {"list_id": "12", "selligent_user_id": "884301", "user_id": "C-1", "email": "zoe@example.com"},
        ),
    ],
)
def test_a_lookup_gives_names_to_ids(read: Reader, kind: str, content: str, names: dict[str, str]) -> None:
    lookup = LOOKUPS[kind]
    reading = read(content, kind=kind, event=None, columns={name: name for name in (*lookup.key, *lookup.values)})
    assert reading.counts == ("loaded", 1, 0, 0)
    [found] = reading.lookups
    assert {name: found[name] for name in LOOKED_UP} == dict.fromkeys(LOOKED_UP) | names
    assert (found["kind"], found["row_number"], found["file"]) == (kind, 1, "opens.csv")
    assert reading.rows == []


CONTACTS: dict[str, Any] = {
    "kind": "contacts",
    "event": None,
    "columns": {"LIST": "list_id", "USER": "selligent_user_id", "KEY": "user_id", "MAIL": "email"},
}


def test_contacts_say_who_a_lists_user_is(read: Reader) -> None:
    reading = read(
        "LIST,USER,KEY,MAIL,NAME\n12,884301,C-1,zoe@example.com,Zoë\n12,884302,,jef@example.com,Jef\n", **CONTACTS
    )
    assert [(row["list_id"], row["selligent_user_id"], row["user_id"], row["email"]) for row in reading.lookups] == [
        ("12", "884301", "C-1", "zoe@example.com"),
        ("12", "884302", None, "jef@example.com"),
    ]


def test_a_lookup_row_without_its_key_is_put_aside_with_its_line(read: Reader) -> None:
    reading = read("LIST,USER,KEY,MAIL\n12,884301\n,884302,C-2,jef@example.com\n12,,C-3,\n12,884304,C-4,\n", **CONTACTS)
    assert reading.counts == ("loaded", 4, 0, 3)
    assert [row["user_id"] for row in reading.lookups] == ["C-4"]
    assert [(line, reason) for line, reason, _ in reading.rejected] == [
        (2, FEWER),
        (3, "no list_id or no selligent_user_id"),
        (4, "no list_id or no selligent_user_id"),
    ]
    assert "jef@example.com" in reading.rejected[1][2]


def test_a_lookup_may_come_as_json_or_without_a_header(read: Reader) -> None:
    lists: dict[str, Any] = {"kind": "lists", "event": None, "columns": {"ID": "list_id", "NAME": "list_name"}}
    as_json = read('{"id": 12, "Name": "Nieuwsbrief"}\n{"Name": "nobody\'s"}\n', format="ndjson", **lists)
    bare = read("Nieuwsbrief;12\n", header=["NAME", "ID"], delimiter=";", **lists)
    for reading in (as_json, bare):
        assert [(row["list_id"], row["list_name"]) for row in reading.lookups] == [("12", "Nieuwsbrief")]
    assert as_json.rejected == [(2, "no list_id", '{"Name": "nobody\'s"}')]
