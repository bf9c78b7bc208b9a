"""Columns without a meaning are drafted as commented properties, with a type that reads all of their values."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.exports.layout_files import read_layout
from pipeline.exports.layouts import Layout
from pipeline.layout_drafting.inspection import inspect
from tests.layout_drafting.drafting import Drafter, lines
from tests.support.export_folder import Desk

HEADER = "CUSTOMER_KEY,OPEN_DT,"


def properties(text: str) -> dict[str, Any]:
    """The commented properties of a draft, once the # before them is removed."""
    found = yaml.safe_load(uncommented(text)).get("properties", {})
    assert isinstance(found, dict)
    return found


def uncommented(text: str) -> str:
    _, mark, commented = text.partition("#properties:\n")
    return text.replace(mark + commented, mark[1:] + commented.replace("\n#  ", "\n  ")[1:]) if mark else text


def layout_of(text: str, folder: Path) -> Layout:
    path = folder / "draft.yml"
    path.write_text(text.replace("timezone: FILL_IN", "timezone: UTC").replace("FILL_IN", "Email Opened"), "utf-8")
    return read_layout(path)


def test_until_a_person_chooses_there_are_none(draft: Drafter, tmp_path: Path) -> None:
    text = draft(lines(f"{HEADER}SHOE_SIZE", "C-1,2024-06-11T09:15:10,44"))
    assert "#properties:\n#  SHOE_SIZE: {name: shoe_size, type: integer}   # e.g. '44'\n" in text
    assert layout_of(text, tmp_path).properties == {}


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["44", "-3", "0"], "integer"),
        (["044", "45"], "text"),
        (["+32470000000"], "text"),
        (["1234567890123456"], "text"),
        (["1.5", "-2", "0.25"], "number"),
        (["1,5"], "text"),
        (["true", "FALSE"], "boolean"),
        (["yes", "no"], "boolean"),
        (["0", "1"], "boolean"),
        (["1", "1"], "integer"),
        (["yes", "perhaps"], "text"),
        (["2024-06-11T09:15:10", "2024-06-11 10:00:00.5"], "timestamp"),
        (["11/06/2024 09:15"], "text"),  # in another format than the time of the event
        (["2024-06-11T09:15:10", "soon"], "text"),
        (["", ""], "text"),
        (["hard", "soft"], "text"),
    ],
)
def test_the_type_is_one_that_reads_every_value(
    draft: Drafter, tmp_path: Path, desk: Desk, values: list[str], kind: str
) -> None:
    rows = [f'C-{number},2024-06-11T09:15:1{number},"{value}"' for number, value in enumerate(values)]
    content = lines(f"{HEADER}SHOE", *rows)
    text = draft(content)
    found = properties(text)["SHOE"]
    assert found == ("shoe" if kind == "text" else {"name": "shoe", "type": kind})
    desk.layouts = (layout_of(uncommented(text), tmp_path),)
    desk.put("ACME_export_20240611.csv", content)
    desk.load()
    assert [json.loads(one)["shoe"] is None for one in desk.events("properties")] == [not value for value in values]
    assert desk.events("unreadable_properties") == [None] * len(values)


def test_ids_are_texts_although_they_look_like_numbers(draft: Drafter) -> None:
    assert properties(draft(lines(f"{HEADER}ORDER_ID", "C-1,2024-06-11T09:15:10,12"))) == {"ORDER_ID": "order_id"}


def test_names_are_usable_and_different(draft: Drafter, tmp_path: Path) -> None:
    header = f'{HEADER}Größe,2nd,SENT_AT_TEXT,sentAt,shoe size,SHOE_SIZE,"Länge, cm",CAMPAIGN_ID,CAMPAIGN_KEY'
    text = draft(lines(header, "C-1,2024-06-11T09:15:10,a,b,c,d,e,f,g,5120,5121"))
    assert properties(text) == {
        "Größe": "groe",
        "2nd": "column_2nd",
        "SENT_AT_TEXT": "sent_at_text",
        "sentAt": "export_sent_at",
        "shoe size": "shoe_size",
        "SHOE_SIZE": "shoe_size_2",
        "Länge, cm": "lange_cm",
        "CAMPAIGN_KEY": "campaign_key",
    }
    assert len(layout_of(uncommented(text), tmp_path).properties) == 8


def test_values_inside_of_objects_are_found_by_json_pointers(draft: Drafter, tmp_path: Path, desk: Desk) -> None:
    rows: list[dict[str, Any]] = [
        {"device": {"os": "iOS", "a/b": {"width": 390}}, "tags": ["x"], "vip": True},
        {"device": {"os": "Android", "old": None}, "vip": False},
    ]
    documents = [{"customer_key": "C-1", "open_dt": f"2024-06-11T09:15:1{n}", **row} for n, row in enumerate(rows)]
    content = lines(*(json.dumps(document) for document in documents))
    text = draft(content, "ACME_export_20240611.ndjson")
    assert properties(text) == {
        "/device/os": "device_os",
        "/device/a~1b/width": {"name": "device_a_1b_width", "type": "integer"},
        "tags": "tags",
        "vip": {"name": "vip", "type": "boolean"},
    }
    desk.layouts = (layout_of(uncommented(text), tmp_path),)
    desk.put("ACME_export_20240611.ndjson", content)
    desk.load()
    assert [json.loads(one) for one in desk.events("properties")] == [
        {"device_os": "iOS", "device_a_1b_width": 390, "tags": '["x"]', "vip": True},
        {"device_os": "Android", "device_a_1b_width": None, "tags": None, "vip": False},
    ]


def test_urls_and_user_agents_have_meanings_and_an_ip_address_waits_for_a_person(draft: Drafter) -> None:
    row = "C-1,2024-06-11T09:15:10,https://example.com/a,Mozilla/5.0,8.8.8.8"
    text = draft(lines(f"{HEADER}LINK_URL,USER_AGENT,CLIENT_IP", row))
    columns = yaml.safe_load(text)["columns"]
    assert (columns["LINK_URL"], columns["USER_AGENT"]) == ("link_url", "user_agent")
    assert "CLIENT_IP" not in columns
    assert "Only if Segment may receive it, give it the meaning ip" in text
    assert properties(text) == {"CLIENT_IP": "client_ip"}


def test_a_lookup_has_no_properties(tmp_path: Path) -> None:
    path = tmp_path / "links_20240611.csv"
    path.write_text(lines("SENSORID,SENSORNAME,COLOUR", "1,hero,red", "2,footer,blue"), "utf-8")
    assert "#properties:" not in inspect(str(path))
    assert "# COLOUR: ?" in inspect(str(path))


def test_names_and_values_that_are_addresses_are_not_shown(draft: Drafter) -> None:
    document = {"customer_key": "C-1", "open_dt": "2024-06-11T09:15:10", "of ann@example.com": "x"}
    row = json.dumps(document | {"NOTE": "see bob@example.com please"})
    text = draft(lines(row), "ACME_export_20240611.ndjson")
    assert "ann@example.com" not in text
    assert properties(text) == {"NOTE": "note"}
    assert "'see b***@example.com please'" in text
