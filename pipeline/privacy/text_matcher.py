"""A matcher for values of the list inside longer texts, in SQL: texts and values are compared word by word."""

import re

import duckdb

from pipeline.privacy.digests import LISTED
from pipeline.warehouse import literal
from pipeline.warehouse.trimming import INVISIBLE, INVISIBLE_IN_PYTHON

# Between words: these marks, and invisible characters.
_MARKS = re.escape("\"'`|;,:<>()[]{}=&?/\\!#*…“”„‘’«»")
SEPARATOR = f"[{INVISIBLE_IN_PYTHON}{_MARKS}]"
_SEPARATOR = f"[{INVISIBLE}{_MARKS}]"


def words(text: str) -> str:
    """SQL for the words of a text, as a list."""
    split = f"regexp_split_to_array({text}, {literal(_SEPARATOR + '+')})"
    return f"list_filter(list_transform({split}, lambda w: rtrim(w, '.')), lambda w: w <> '')"


def has_words(text: str) -> str:
    """SQL for whether a text may contain more than one word."""
    return f"regexp_matches({text}, {literal(_SEPARATOR + '|[.]$')})"


def phrase(value: str) -> str:
    """SQL for a value as a phrase: its words, separated by blanks; NULL where it has none."""
    return f"nullif(array_to_string({words(value)}, ' '), '')"


def phrases(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    """SQL for the parts of a text that could be a value of `LISTED`, as a list: as they are, and in lower case. Most
    values are one word; `o'brien@example.org` and `auth0|4711` are several consecutive ones.
    """
    counted = connection.execute(f"SELECT DISTINCT len(string_split(phrase, ' ')) FROM {LISTED} WHERE phrase <> ''")
    runs = [
        "w"
        if length == 1
        else f"list_transform(range(1, len(w) - {length} + 2), lambda i: array_to_string(w[i:i + {length} - 1], ' '))"
        for length in sorted({1, *(length for (length,) in counted.fetchall())})
    ]
    # Lambdas name the lists, so that each is computed once.
    found = f"list_transform([{words(text)}], lambda w: list_concat({', '.join(runs)}))"
    return f"list_transform({found}, lambda p: list_concat(p, list_transform(p, lambda one: lower(one))))[1]"
