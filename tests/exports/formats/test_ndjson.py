"""One JSON object a line becomes one row."""

import gzip
import json
from typing import Any

import pytest

from pipeline.exports.formats.ndjson import NOT_A_NUMBER, REPEATED_KEY
from tests.support.export_folder import AT, Reader

JSON_COLUMNS = {"who": "user_id", "mail": "email", "about": "email_subject", "when": "timestamp"}
NDJSON: dict[str, Any] = {"format": "ndjson", "columns": JSON_COLUMNS}
JSON_ROW = '{"who": "C-1", "about": "Soldes", "when": "2024-06-11T09:15:10"}\n'


def test_a_json_object_a_line_becomes_a_row(read: Reader) -> None:
    reading = read(
        JSON_ROW
        + '{"when": "2024-06-11T09:15:10", "mail": "zoe@example.com", "who": 7743, "about": null}\n'
        + '{"who": true, "about": {"nl": "Koopjes"}, "when": "2024-06-11T09:15:10"}\n',
        **NDJSON,
    )
    assert reading.counts == ("loaded", 3, 0, 0)
    assert reading.all("row_number", "user_id", "email", "email_subject", "occurred_at") == [
        (1, "C-1", None, "Soldes", AT),
        (2, "7743", "zoe@example.com", None, AT),
        (3, "true", None, '{"nl":"Koopjes"}', AT),
    ]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_json_lines_are_unpacked_and_their_byte_order_mark_left_out(read: Reader, packed: bool) -> None:
    content = JSON_ROW.encode("utf-8-sig")
    assert read(gzip.compress(content) if packed else content, **NDJSON).all("user_id") == ["C-1"]


def test_long_numbers_keep_their_digits(read: Reader) -> None:
    reading = read('{"who": 12345678901234567890123, "when": "2024-06-11T09:15:10"}\n', **NDJSON)
    assert reading.all("user_id") == ["12345678901234567890123"]


def test_a_line_that_is_no_json_object_is_put_aside_with_its_text(read: Reader) -> None:
    reading = read(
        JSON_ROW + '{"who": "C-1", "ab\n' + '["C-1"]\n' + "null\n" + '"C-1"\n' + "  \n" + JSON_ROW + JSON_ROW.strip(),
        **NDJSON,
    )
    assert reading.counts == ("loaded", 8, 0, 5)
    assert reading.rejected == [
        (2, "the line is not a JSON object", '{"who": "C-1", "ab'),
        (3, "the line is not a JSON object", '["C-1"]'),
        (4, "the line is not a JSON object", "null"),
        (5, "the line is not a JSON object", '"C-1"'),
        (6, "the line is not a JSON object", "  "),
    ]
    assert reading.accepted("row_number") == [1, 7, 8]


def test_a_line_nested_without_end_is_put_aside_like_any_other(read: Reader) -> None:
    reading = read("[" * 100_000 + "\n" + JSON_ROW, **NDJSON)
    assert reading.counts == ("loaded", 2, 0, 1)
    assert reading.accepted("user_id") == ["C-1"]


def test_blank_json_lines_are_no_rows_but_lines(read: Reader) -> None:
    reading = read("\n" + JSON_ROW + "\n\n" + '{"about": "nobody", "when": "2024-06-11T09:15:10"}\n', **NDJSON)
    assert reading.counts == ("loaded", 2, 0, 1)
    assert reading.lines == [5]


def test_bytes_that_are_no_utf_8_cost_their_json_line(read: Reader) -> None:
    reading = read(JSON_ROW.encode() + b'{"who": "\xe9"}\n' + b"{}\n", **NDJSON)
    assert [(line, reason) for line, reason, _ in reading.rejected] == [
        (2, "the row is not valid utf-8"),
        (3, "no date-time in column when"),
    ]


def test_keys_that_the_layout_does_not_name_are_kept_with_their_types(read: Reader) -> None:
    further = {"device": {"os": None, "sizes": [1, 2.5, None]}, "count": 3, "true": True, "none": None, "WHO_ELSE": ""}
    line = json.dumps({"who": "C-1", "when": "2024-06-11T09:15:10"} | further)
    [extra] = read(line + "\n", **NDJSON).all("extra")
    assert json.loads(extra) == further


def test_an_object_with_nothing_else_keeps_nothing_beside_the_row(read: Reader) -> None:
    assert read(JSON_ROW, **NDJSON).all("extra") == [None]


def test_a_key_inside_another_object_is_none_of_the_row(read: Reader) -> None:
    line = '{"who": "C-1", "person": {"who": "C-2", "when": "never"}, "when": "2024-06-11T09:15:10"}\n'
    reading = read(line, **NDJSON)
    assert reading.all("user_id", "occurred_at") == [("C-1", AT)]
    assert json.loads(reading.rows[0]["extra"]) == {"person": {"who": "C-2", "when": "never"}}


def test_keys_match_without_regard_to_case(read: Reader) -> None:
    reading = read('{"WHO": "C-1", "When": "2024-06-11T09:15:10"}\n', **NDJSON)
    assert reading.all("user_id", "occurred_at", "extra") == [("C-1", AT, None)]


def test_each_line_may_spell_its_keys_in_its_own_way(read: Reader) -> None:
    spellings = ("who", "WHO", "Who")
    lines = "".join(f'{{"{who}": "C-1", "when": "2024-06-11T09:15:10"}}\n' for who in spellings)
    reading = read(lines, **NDJSON)
    assert reading.all("user_id", "extra") == [("C-1", None)] * 3


def test_null_values_stand_for_nothing_in_json_too(read: Reader) -> None:
    line = '{"who": "C-1", "mail": "NULL", "about": "", "when": "2024-06-11T09:15:10"}\n'
    assert read(line, **NDJSON, null_values=["NULL", ""]).all("email", "email_subject") == [(None, None)]


def test_json_rows_have_codes_as_others_do(read: Reader) -> None:
    columns = {"who": "user_id", "when": "timestamp"}
    reading = read(
        "".join(
            f'{{"what": {code}, "who": "C-1", "when": "2024-06-11T09:15:10"}}\n' for code in ['"OPEN"', '"SENT"', 30]
        )
        + '{"who": "C-1", "when": "2024-06-11T09:15:10"}\n',
        format="ndjson",
        event=None,
        event_column="what",
        event_codes={"OPEN": "Email Opened", "SENT": None},
        columns=columns,
    )
    assert reading.counts == ("loaded", 4, 1, 2)
    assert reading.reasons == [
        "unknown event code '30' in column what; list it in event_codes of layout opens",
        "no event code in column what",
    ]


def test_the_text_of_a_rejected_json_row_has_all_that_the_row_had(read: Reader) -> None:
    document = {"what": "FWD", "who": "C-1", "when": "2024-06-11T09:15:10", "device": {"os": "iOS"}}
    reading = read(
        json.dumps(document) + "\n",
        format="ndjson",
        event=None,
        event_column="what",
        event_codes={"OPEN": "Email Opened"},
        columns={"who": "user_id", "when": "timestamp"},
    )
    [(_, _, text)] = reading.rejected
    assert json.loads(text) == document


def test_keys_that_break_loaders_break_nothing_here(read: Reader) -> None:
    further: dict[str, Any] = {
        "name": "dummy",
        "?!": 1,
        "%#@": 2,
        "秒速５センチメートル": 3,
        "Test Name; DROP DATABASE public; SELECT 1 from DUAL;": 4,
        "1test_name": 5,
        "2": 6,
        "": 7,
        "x" * 230: 8,
        "select": 9,
        "__ROOT__": 10,
        "row_number": 11,
        "document": 12,
        "line": 13,
        "extra": 14,
        "$": 15,
        "$.a": 16,
        "a/b~c": 17,
        "it's": 18,
        'say "hi"': 19,
        "back\\slash": 20,
        "nul\x00": 21,
        "*": 22,
    }
    reading = read(json.dumps({"who": "C-1", "when": "2024-06-11T09:15:10"} | further) + "\n", **NDJSON)
    assert reading.counts == ("loaded", 1, 0, 0)
    assert json.loads(reading.rows[0]["extra"]) == further


# Keys of a whole file


def test_keys_in_another_case_are_found_wherever_they_first_stand(read: Reader) -> None:
    """A person, a date-time and an id among them: rows were rejected, or their events had other ids."""
    usual = "".join(f'{{"who": "C-{number}", "when": "2024-06-11T09:15:10"}}\n' for number in range(5_000))
    reading = read(
        usual
        + '{"who": "C-1", "ABOUT": "Late", "when": "2024-06-11T09:15:10"}\n'
        + '{"Who": "C-2", "About": "Later", "WHEN": "2024-06-11T09:15:10"}\n'
        + r'{"\u0057HO": "C-3", "about": "Escaped", "when": "2024-06-11T09:15:10"}',
        **NDJSON,
    )
    assert reading.counts == ("loaded", 5_003, 0, 0)
    assert reading.all("user_id", "email_subject", "extra")[5_000:] == [
        ("C-1", "Late", None),
        ("C-2", "Later", None),
        ("C-3", "Escaped", None),
    ]


def test_keys_that_no_row_shares_with_another_are_kept(read: Reader) -> None:
    lines = "".join(f'{{"who": "C-1", "key {n}": {n}, "when": "2024-06-11T09:15:10"}}\n' for n in range(3_000))
    reading = read(lines, **NDJSON)
    assert [json.loads(extra) for extra in reading.all("extra")] == [{f"key {n}": n} for n in range(3_000)]


@pytest.mark.parametrize(
    "keys",
    [
        '"who": "A", "who": "B"',
        '"who": "C", "Who": "D"',
        '"who": null, "WHO": "E"',
        r'"who": "A", "\u0077ho": "B"',
        '"who": "A", "score": 1, "score": 2',
    ],
)
def test_an_object_in_which_a_key_is_repeated_is_put_aside(read: Reader, keys: str) -> None:
    """Which of the values counts, no rule says (RFC 8259, 4); readers take the first or the last."""
    line = f'{{{keys}, "when": "2024-06-11T09:15:10"}}'
    reading = read(JSON_ROW + line + "\n", **NDJSON)
    assert reading.counts == ("loaded", 2, 0, 1)
    assert reading.rejected == [(2, REPEATED_KEY, line)]
    assert reading.accepted("user_id") == ["C-1"]


def test_keys_that_the_layout_does_not_use_may_differ_by_case(read: Reader) -> None:
    further = {"note": 1, "NOTE": 2, "inner": {"who": 3}}
    reading = read(json.dumps({"who": "C-1", "when": "2024-06-11T09:15:10"} | further), **NDJSON)
    assert json.loads(reading.all("extra")[0]) == further


@pytest.mark.parametrize("word", ["NaN", "nan", "-Infinity", "Infinity", "-inf", "nAn"])
@pytest.mark.parametrize(
    "line", ['{{"who": {}, "when": "2024-06-11T09:15:10"}}', '{{"who":"C-1","when":"2024-06-11T09:15:10","x":[1,{}]}}']
)
def test_what_is_no_number_is_no_json(read: Reader, word: str, line: str) -> None:
    reading = read(JSON_ROW + line.format(word), **NDJSON)
    assert reading.rejected == [(2, NOT_A_NUMBER, line.format(word))]


def test_words_that_look_like_no_number_may_stand_in_texts(read: Reader) -> None:
    about = r"Info: \"NaN\", -inf, Nancy \\"
    line = f'{{"who": "NaN", "about": "{about}", "nan": {{"inf": 1.5e3}}, "when": "2024-06-11T09:15:10"}}'
    reading = read(line, **NDJSON)
    assert reading.accepted("user_id", "email_subject") == [("NaN", json.loads(f'"{about}"'))]
    assert json.loads(reading.rows[0]["extra"]) == {"nan": {"inf": 1500.0}}


ARRAY = [{"who": "C-1", "when": "2024-06-11T09:15:10"}, {"who": "C-2", "when": "2024-06-11T09:15:10"}]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ARRAY),
        json.dumps(ARRAY, indent=2),
        json.dumps(ARRAY[0], indent=2) + "\n" + json.dumps(ARRAY[1], indent=2),
        "[\n" + ",\n".join(map(json.dumps, ARRAY)) + "\n]\n",
        "[" + ",\n".join(map(json.dumps, ARRAY)) + "]\n",
        '{"events": [\n' + ",\n".join(map(json.dumps, ARRAY)) + "\n]}\n",
        '{\n"device":\n{"os": "iOS"}\n}\n',
        "\ufeff\n  [\n  " + ",\n  ".join(map(json.dumps, ARRAY)) + "\n]",
        json.dumps([ARRAY[0] | {"about": "x" * 3_000_000}]),
        "who,when\nC-1,2024-06-11T09:15:10\n",
    ],
    ids=["array", "indented", "objects", "a line each", "glued", "wrapped", "inner", "marked", "3 MB", "csv"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_json_that_is_not_one_object_a_line_is_refused_as_a_file(read: Reader, content: str, packed: bool) -> None:
    reading = read(gzip.compress(content.encode()) if packed else content, **NDJSON)
    assert reading.counts == ("refused", 0, 0, 0)
    assert reading.file.reason is not None
    assert "one JSON object per line is needed, without commas or brackets around them" in reading.file.reason


def test_a_first_line_that_is_broken_off_costs_that_line_alone(read: Reader) -> None:
    reading = read('{"who": "C-1", "ab\n' + JSON_ROW, **NDJSON)
    assert reading.counts == ("loaded", 2, 0, 1)
