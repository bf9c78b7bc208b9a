"""The kind of a file: events, a lookup, or daily aggregates, which are not an export of events."""

from collections.abc import Mapping, Sequence

from pipeline.catalog import LOOKUPS
from pipeline.errors import InspectionRefused
from pipeline.exports.headers import ENOUGH_COUNTS, is_count
from pipeline.layout_drafting.column_meanings import Guess
from pipeline.layout_drafting.sample_columns import Column

_OF_ONE_EVENT = {"email_id", "campaign_id", "link_id", "send_id"}


def refuse_aggregates(name: str, columns: Sequence[Column], meanings: Mapping[str, Column]) -> None:
    """Raise InspectionRefused for a file with counts of events and no person."""
    counts = [
        column.name for column in columns if is_count(column.name) and (column.are_whole_numbers or not column.values)
    ]
    if len(counts) < ENOUGH_COUNTS - ("timestamp" in meanings) or _names_a_person(meanings):
        return
    raise InspectionRefused(
        f"{name}: contains counts ({', '.join(counts)}), not events: it is an aggregate; "
        "ask for the export that has one row per interaction"
    )


def kind_of(meanings: Mapping[str, Column], guesses: Sequence[Guess], code: Column | None) -> tuple[str, str]:
    """The kind of a file, and the reason for it."""
    fitting = [
        kind
        for kind, lookup in LOOKUPS.items()
        if all(key in meanings for key in lookup.key) and any(value in meanings for value in lookup.values)
    ]
    if not _names_a_person(meanings):
        named = [kind for kind in fitting if kind != "contacts"]
        # A row for each campaign, or for each email with its campaign: the key is the unique column.
        named.sort(key=lambda kind: not meanings[LOOKUPS[kind].key[0]].is_unique)
        if named:
            return named[0], "it has no person, but names for ids"
    happened = max((guess.strength for guess in guesses if guess.meaning == "timestamp"), default=-1) >= 0
    if "contacts" in fitting and code is None and not happened and not _OF_ONE_EVENT & set(meanings):
        return "contacts", "it has the users of a list, but no event"
    return "events", "a row is an event of a person"


def _names_a_person(meanings: Mapping[str, Column]) -> bool:
    return bool({"user_id", "email", "selligent_user_id"} & set(meanings))
