"""The key `properties` of a layout: what it takes, what is refused, and what the layout's fingerprint is made of."""

from pathlib import Path

import pytest

from pipeline.errors import LayoutError
from pipeline.exports.layout_files import read_layout, read_layouts
from pipeline.exports.layout_properties import Property
from tests.exports.layout_texts import CLICKS, read


def properties(lines: str) -> str:
    """The text of a layout with these properties."""
    return f"{CLICKS}properties:\n" + "".join(f"  {line}\n" for line in lines.splitlines())


def refusal(path: Path, lines: str) -> str:
    with pytest.raises(LayoutError) as refused:
        read(path, properties(lines))
    return str(refused.value)


def test_a_property_is_a_name_or_a_name_with_a_type(clicks: Path) -> None:
    layout = read(clicks, properties("BOUNCE: bounceReason\nCODE: {name: Bounce Code, type: integer}"))
    assert layout.properties == {
        "BOUNCE": Property(name="bounceReason", type="text"),
        "CODE": Property(name="Bounce Code", type="integer"),
    }
    assert [one.column for one in layout.properties.values()] == ["bounce_reason", "bounce_code"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "CODE: {name: code, type: int}",
            "properties.CODE.type: 'int' is not 'text', 'integer', 'number', 'boolean' or 'timestamp'",
        ),
        ("CODE: {type: integer}", "properties.CODE.name: is missing"),
        ("CODE: ''", "properties.CODE.name: string should have at least 1 character"),
        (
            "CODE: true",
            "properties.CODE: is neither a name nor a mapping, such as {name: bounce_code, type: integer}",
        ),
        (
            "CODE: Campaign Name",
            "properties: 'CODE': 'Campaign Name' is what a meaning is for; map the column to 'campaign_name' under "
            "columns:",
        ),
        (
            "CODE: sentAt",
            "properties: 'CODE': 'sentAt' is a column of Segment's own; choose another name, such as 'export_sent_at'",
        ),
        (
            "CODE: context.device",
            "properties: 'CODE': 'context.device' begins with 'context_', as columns of Segment's own do; choose "
            "another name",
        ),
        (
            "CODE: 2nd",
            "properties: 'CODE': '2nd' makes no name of a column; begin it with a letter, such as 'bounce_code'",
        ),
        ("CODE: ü", "properties: 'CODE': 'ü' makes no name of a column; begin it with a letter, such as 'bounce_code'"),
        (f"CODE: {'a' * 64}", f"properties: 'CODE': '{'a' * 64}' has more than 63 characters; shorten it"),
        (
            "CODE: bounceCode\nOTHER: Bounce code",
            "properties: 'OTHER': 'Bounce code' is the same column as 'bounceCode' of 'CODE'; rename one",
        ),
        ("CODE: code\ncode: second", "properties: the column 'code' is repeated"),
        ("CODE: {name: code, unit: s}", "properties.CODE.unit: is unknown; it is one of name, type"),
    ],
)
def test_a_property_that_is_wrong_is_refused_with_what_would_be_right(clicks: Path, line: str, sentence: str) -> None:
    assert refusal(clicks, line) == f"clicks.yml: {sentence}"


def test_a_lookup_has_no_properties(clicks: Path) -> None:
    lookup = "name: links\nfiles: x\nkind: links\ncolumns: {ID: link_id, NAME: link_name}\nproperties: {X: x}\n"
    with pytest.raises(LayoutError, match="properties: a lookup of links has no events; remove them"):
        read(clicks, lookup)


def test_a_property_of_a_file_without_a_header_is_in_the_list_of_names(clicks: Path) -> None:
    text = f"{CLICKS}header: [CUSTOMER_KEY, CLICK_DT]\nproperties: {{CODE: code}}\n"
    with pytest.raises(LayoutError, match="header: 'CODE' is used, but the list of column names has no such name"):
        read(clicks, text)


def test_the_fingerprint_of_a_layout_without_properties_is_that_of_earlier_versions(clicks: Path) -> None:
    layout = read(clicks, CLICKS)
    assert layout.fingerprint == read(clicks, f"{CLICKS}properties: {{}}\n").fingerprint
    assert layout.fingerprint == "97210128399ab199c89b315ecac0aaeaf79401b1d9ce701e26ed2f79523cac89"
    assert layout.fingerprint != read(clicks, properties("CODE: code")).fingerprint


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (
            "CODE: {name: code, type: integer}",
            "NUMBER: code",
            "second.yml: properties: 'NUMBER': 'code' is text, and integer in layout first; give both the same type",
        ),
        (
            "CODE: bounceCode",
            "CODE: bounce_code",
            "second.yml: properties: 'CODE': 'bounce_code' is the column 'bounce_code', which 'bounceCode' of layout "
            "first is, too; give both the same name, or rename one of them",
        ),
    ],
)
def test_a_column_has_one_name_and_one_type_in_all_layouts(
    tmp_path: Path, first: str, second: str, sentence: str
) -> None:
    for name, line in (("first", first), ("second", second)):
        (tmp_path / f"{name}.yml").write_text(properties(line).replace("name: clicks", f"name: {name}"))
    with pytest.raises(LayoutError) as refused:
        read_layouts(tmp_path)
    assert str(refused.value) == sentence


def test_layouts_share_a_property_of_one_name_and_type(tmp_path: Path) -> None:
    for name in ("first", "second"):
        text = properties("CODE: {name: code, type: integer}").replace("name: clicks", f"name: {name}")
        (tmp_path / f"{name}.yml").write_text(text)
    assert len(read_layouts(tmp_path)) == 2
    assert read_layout(tmp_path / "first.yml").calls == {"Email Link Clicked"}
