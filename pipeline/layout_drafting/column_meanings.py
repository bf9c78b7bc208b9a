"""The probable meaning of each column, by its name and its values."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.exports.layouts import MEANINGS
from pipeline.layout_drafting import vocabulary
from pipeline.layout_drafting.sample_columns import Column
from pipeline.naming import plain

# If a list's id is in nearly every row, a user id is probably one of that list.
_MOSTLY = 0.9


@dataclass(frozen=True)
class Guess:
    """The meaning of a column and the reason for it; without a meaning, the reason why there is none."""

    meaning: str | None
    why: str
    strength: int = 0


_NO_IDEA = Guess(None, "")
# The ids of events are made of it, so a wrong one can't be corrected once events were delivered.
_EVENT_ID = (
    "CHECK: an id of the event that each export of it repeats, and that no other event ever has, in any file? "
    "Otherwise remove the line, since ids of events depend on it"
)


def _same_word(column: Column) -> str:
    return f"the same word; {_EVENT_ID}" if column.name == "event_id" else "the same word"


def guesses(columns: Sequence[Column], code: Column | None, file_name: str, rows: int) -> list[Guess]:
    """One guess for each column; no two have the same meaning."""
    others = [column for column in columns if column is not code]
    if columns and all(column.name in MEANINGS for column in others):
        return [_NO_IDEA if column is code else Guess(column.name, _same_word(column)) for column in columns]
    first = [_NO_IDEA if column is code else _guess(column) for column in columns]
    with_users = [_user(column, guess, columns, first, rows) for column, guess in zip(columns, first, strict=True)]
    named = [_by_file_name(column, guess, file_name) for column, guess in zip(columns, with_users, strict=True)]
    return _without_repeats(named)


def _guess(column: Column) -> Guess:
    for guess in (_by_values, _by_role, _by_subject):
        if (found := guess(column)) is not None:
            return found
    return _NO_IDEA


def _by_values(column: Column) -> Guess | None:
    """Addresses and date-times are recognized whatever the name of their column."""
    if column.is_nested:
        return Guess(
            None, "CHECK: its values are arrays; a JSON pointer that ends in a number, from 0, names one of them"
        )
    if column.are_addresses:
        if vocabulary.is_sender(column.name):
            return Guess(None, "the sender's address")
        if vocabulary.is_address(column.name):
            return Guess("email", "by its name and its values", 2)
        return Guess("email", "its values are email addresses", 1)
    if column.moments is not None:
        rank = vocabulary.when(column.name)
        if rank == -2:
            return Guess(None, "a birthday")
        why = "by its name and its values" if rank > 1 else "its values are date-times"
        return Guess("timestamp", why, rank)
    return None


def _by_role(column: Column) -> Guess | None:
    name, why = column.name, "by its name"
    if vocabulary.is_link_url(name) and (column.are_urls or not column.values):
        return Guess("link_url", "by its name and its values" if column.values else why)
    if not name and column.are_urls:  # a file without a header
        return Guess("link_url", "its values are addresses of web pages", -1)
    if vocabulary.is_user_agent(name):
        return Guess("user_agent", why)
    if vocabulary.is_ip(name):
        return Guess(None, "an IP address? Only if Segment may receive it, give it the meaning ip")
    if vocabulary.is_bot(name):
        if column.are_flags or not column.values:
            return Guess("is_bot", "by its name and its values" if column.values else why)
        return Guess(None, "its name says bot, but its values are neither of 1/0 nor of yes and no")
    if vocabulary.is_email_subject(name):
        return Guess("email_subject", why)
    if vocabulary.is_send_id(name):
        return Guess("send_id", why)
    if vocabulary.is_row_id(name):
        if column.is_unique:
            return Guess("event_id", f"unique in the sample; {_EVENT_ID}", int(plain(name) != "id"))
        return Guess(None, "its name says id, but its values repeat" if column.values else "an id, but of what?")
    if column.values and vocabulary.when(name) > 1:
        return Guess(None, "CHECK: its name says date-time, but its values are in no known format")
    if not column.values and vocabulary.is_address(name):
        return Guess("email", why)
    if not column.values and vocabulary.when(name) >= 1:
        return Guess("timestamp", why, vocabulary.when(name))
    return None


def _by_subject(column: Column) -> Guess | None:
    name = column.name
    if vocabulary.is_customer_key(name) and vocabulary.id_of(name) is None:
        return Guess("user_id", "by its name: the customer's own key", 2)
    if subject := vocabulary.id_of(name):
        return Guess(f"{subject}_id", _by_name(name, subject))
    if vocabulary.is_user_id(name):
        return Guess("user_id", "by its name", 1)  # or Selligent's own, see `_user`
    if subject := vocabulary.name_of(name):
        if subject == "email":
            return Guess(None, "an email's name is not its subject")
        return Guess(f"{subject}_name", _by_name(name, subject))
    if subject := vocabulary.bare_subject(name):
        if column.are_whole_numbers or column.are_uuids:
            return Guess(f"{subject}_id", f"{_by_name(name, subject)}, and its values are ids", -1)
        if column.are_texts and subject != "email":
            return Guess(f"{subject}_name", f"{_by_name(name, subject)}, and its values are texts", -1)
    return None


def _by_name(name: str, subject: str) -> str:
    return "by its name" if subject in plain(name) else f"by its name; Selligent's word for {subject}"


def _user(column: Column, guess: Guess, columns: Sequence[Column], all_guesses: Sequence[Guess], rows: int) -> Guess:
    """Distinguish the customer's own key from Selligent's user ids: whole numbers, unique within a list only."""
    if guess.meaning != "user_id" or guess.strength > 1:
        return guess
    if plain(column.name).startswith("selligent"):
        return Guess("selligent_user_id", "by its name")
    meanings = [other.meaning for other in all_guesses]
    if column.values and not column.are_whole_numbers:
        return guess
    lists = [c for c, other in zip(columns, all_guesses, strict=True) if other.meaning == "list_id"]
    if lists and len(lists[0].values) >= _MOSTLY * rows:
        return Guess("selligent_user_id", "Selligent's own, unique only within its list")
    if "email" in meanings or any(g.meaning == "user_id" and g.strength > 1 for g in all_guesses):
        return Guess("selligent_user_id", "CHECK: Selligent's own? If it is your own key of a person: user_id")
    return Guess("user_id", "CHECK: is it your own key of a person? Selligent's is unique only within a list", 1)


def _by_file_name(column: Column, guess: Guess, file_name: str) -> Guess:
    """In a lookup, ID and NAME belong to the subject in the file's name."""
    subject = vocabulary.subject_in(file_name)
    name = plain(column.name)
    if subject is None or name not in ("id", "name", "naam", "nom", "nombre", "title"):
        return guess
    if name == "id":
        return Guess(f"{subject}_id", f"the file is named after it: {subject}", -2)
    if subject == "email":
        return Guess(None, "an email's name is not its subject")
    return Guess(f"{subject}_name", f"the file is named after it: {subject}", -2)


def _without_repeats(all_guesses: Sequence[Guess]) -> list[Guess]:
    best: dict[str, Guess] = {}
    for guess in all_guesses:
        if guess.meaning and (guess.meaning not in best or guess.strength > best[guess.meaning].strength):
            best[guess.meaning] = guess
    return [
        guess if guess.meaning is None or best[guess.meaning] is guess else Guess(None, f"another {guess.meaning}?")
        for guess in all_guesses
    ]
