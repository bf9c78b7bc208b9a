"""Segment's snake case, which names schemas, tables and columns."""

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.catalog import EVENTS
from pipeline.naming import snake_case, snake_case_sql


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Email Marked as Spam", "email_marked_as_spam"),
        ("Selligent Marketing Cloud", "selligent_marketing_cloud"),
        ("sampleText", "sample_text"),
        ("samPLE text", "sam_ple_text"),
        ("CStringRef", "cstring_ref"),
        ("2FA Enabled", "2fa_enabled"),
        ("$something%", "something"),
        ("HTTPServer", "httpserver"),
        ("already_snake_case", "already_snake_case"),
        ("  two  blanks  ", "two_blanks"),
        ("kebab-case.and/more", "kebab_case_and_more"),
        ("Zoë's Shop", "zo_s_shop"),
        ("v2Beta", "v2_beta"),
        ("ABC", "abc"),
        ("été", "t"),
        ("Ünïcode", "n_code"),
        ("日本語", ""),
        ("", ""),
        ("___", ""),
        ("١٢٣", ""),
    ],
)
def test_names_become_slugs(name: str, slug: str) -> None:
    assert snake_case(name) == slug


def spelled_out(name: str) -> str:
    """The rule, letter by letter: a capital begins a word unless only capitals and digits stand in it so far."""
    words: list[str] = []
    inside = False
    for character in name:
        if not (character.isascii() and character.isalnum()):
            inside = False
        elif not inside or (character.isupper() and any(letter.islower() for letter in words[-1])):
            words.append(character)
            inside = True
        else:
            words[-1] += character
    return "_".join(words).lower()


NAMES = st.text() | st.text("aBcDeF019_ -é", max_size=30)


@given(NAMES)
@example("aB1cD 2Ef_G")
def test_the_slug_is_what_the_rule_says(name: str) -> None:
    assert snake_case(name) == spelled_out(name)


@given(NAMES)
def test_a_slug_holds_the_letters_and_digits_of_the_name_and_no_others(name: str) -> None:
    slug = snake_case(name)
    assert slug.replace("_", "") == "".join(c for c in name if c.isascii() and c.isalnum()).lower()
    assert "__" not in slug
    assert slug == slug.strip("_")


@given(NAMES)
def test_the_slug_of_a_slug_is_itself(name: str) -> None:
    assert snake_case(snake_case(name)) == snake_case(name)


@pytest.mark.parametrize("name", [event.name for event in EVENTS])
def test_sql_makes_the_same_of_the_name_of_an_event(name: str) -> None:
    assert duckdb.execute(f"SELECT {snake_case_sql('$1')}", [name]).fetchone() == (snake_case(name),)
