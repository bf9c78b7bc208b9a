"""The open points of a draft as questions on a terminal, each with a proposal."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from pipeline.catalog import EVENTS_BY_NAME
from pipeline.errors import LayoutError
from pipeline.exports.layout_files import layout_paths, read_layout
from pipeline.exports.layouts import MEANINGS, choice, time_zones
from pipeline.finding import counted
from pipeline.layout_drafting.column_meanings import Guess
from pipeline.layout_drafting.event_codes import are_event_names
from pipeline.layout_drafting.inspected import Inspected
from pipeline.layout_drafting.known_codes import proposal_of_name, proposals
from pipeline.layout_drafting.sample_columns import samples
from pipeline.layout_drafting.yaml_lines import PROPOSED
from pipeline.masking import contains_address, example, on_one_line

_NONE = "-"
_EVENTS = dict(enumerate(EVENTS_BY_NAME, 1))


def answered(inspected: Inspected, layouts: Path) -> Inspected:
    """Ask for what the file does not contain. `layouts` is the folder with other layouts, whose zone is proposed."""
    _show(inspected)
    inspected = _columns(inspected)
    if inspected.kind != "events":
        return inspected
    inspected = _event(inspected)
    inspected = _order(inspected)
    return _zone(inspected, layouts)


def _show(inspected: Inspected) -> None:
    click.echo(f"{on_one_line(inspected.head.name, 200)}: {inspected.kind} ({inspected.why_kind})\n")
    width = max((len(_shown(column.name)) for column in inspected.columns), default=0)
    for column, guess in zip(inspected.columns, inspected.guesses, strict=True):
        is_code = column is inspected.code and inspected.kind == "events"
        meaning = "the event's code" if is_code else guess.meaning or _NONE
        click.echo(f"  {_shown(column.name).ljust(width)}  {meaning.ljust(17)}  {samples(column)}")
    click.echo()


def _columns(inspected: Inspected) -> Inspected:
    """Doubtful meanings one by one, then meanings that are missing, then whatever else a person wants to change."""
    guesses = list(inspected.guesses)
    names = [column.name for column in inspected.columns]
    for position, guess in enumerate(guesses):
        if guess.meaning is not None and PROPOSED in guess.why and not contains_address(names[position]):
            click.echo(f"{_shown(names[position])}: {guess.why.partition(f'{PROPOSED}: ')[2]}")
            meaning = _ask_meaning(f"Meaning of {_shown(names[position])} ({_NONE}: none)", guess.meaning)
            guesses[position] = Guess(meaning, "as answered")
    while True:
        missing = replace(inspected, guesses=guesses).missing
        if missing == ["user_id"]:
            question = (
                "No column identifies the person: user_id, email, or list_id with selligent_user_id. Which one does?"
            )
            name = _ask_column(question, names, None)
        elif missing:
            name = _ask_column(f"No column means {missing[0]}. Which one does?", names, None)
        else:
            name = _ask_column("Another column to change (Enter: none)", names, "")
        if not name:
            return replace(inspected, guesses=guesses)
        position = names.index(name)
        proposal = missing[0] if missing else guesses[position].meaning or _NONE
        if proposal == "user_id" and any(guess.meaning == "list_id" for guess in guesses):
            proposal = "selligent_user_id"
        meaning = _ask_meaning(f"Meaning of {_shown(name)} ({_NONE}: none)", proposal)
        guesses = _with_meaning(guesses, position, meaning)


def _with_meaning(guesses: Sequence[Guess], position: int, meaning: str | None) -> list[Guess]:
    """The guesses with another one; no two columns have the same meaning."""
    others = [Guess(None, "") if meaning is not None and guess.meaning == meaning else guess for guess in guesses]
    others[position] = Guess(meaning, "as answered")
    return others


def _ask_meaning(text: str, proposal: str) -> str | None:
    def known(value: str) -> str:
        word = value.strip()
        if word != _NONE and word not in MEANINGS:
            raise click.BadParameter(f"{word!r} is not a meaning; {choice(word, MEANINGS)}")
        return word

    found: str = click.prompt(text, default=proposal, value_proc=known)
    return None if found == _NONE else found


def _ask_column(text: str, names: Sequence[str], proposal: str | None) -> str:
    def known(value: str) -> str:
        word = value.strip()
        fitting = [name for name in names if name.lower() == word.lower()]
        if not fitting and word != proposal:
            raise click.BadParameter(f"there is no column {word!r}; {choice(word, names)}")
        return fitting[0] if fitting else word

    found: str = click.prompt(text, default=proposal, show_default=bool(proposal), value_proc=known)
    return found


def _event(inspected: Inspected) -> Inspected:
    names = [one.column.name for one in inspected.candidates]
    code = inspected.code
    if (code is None and names) or len(names) > 1:
        for one in inspected.candidates:
            click.echo(f"  {_shown(one.column.name)}: {samples(one.column)}")
        question = f"Which column has the event's code? ({_NONE}: all rows are one event)"
        name = _ask_column(question, [*names, _NONE], code.name if code else _NONE)
        code = next((one.column for one in inspected.candidates if one.column.name == name), None)
    inspected = replace(inspected, code=code)
    legend = ", ".join(f"{number} {name}" for number, name in _EVENTS.items())
    click.echo(f"Events: {legend}, 0 none of them")
    if code is None:
        found = proposal_of_name(inspected.file_name.name)
        return replace(inspected, event=_ask_event("Event of all rows", found[1] if found else None, is_optional=False))
    if are_event_names(code):
        return inspected
    known = proposals(code)
    codes = {}
    for value, count in code.distinct.items():
        if value in EVENTS_BY_NAME or contains_address(value):
            continue
        proposal = known.get(value)
        if proposal is not None:
            click.echo(f"  {proposal.why}")
        default = None if proposal is None else proposal.event or "0"
        codes[value] = _ask_event(f"Event of {example(value)} ({counted(count, 'row')})", default, is_optional=True)
    return replace(inspected, codes=codes)


def _ask_event(text: str, proposal: str | None, *, is_optional: bool) -> str | None:
    def known(value: str) -> str | None:
        word = value.strip()
        if is_optional and word == "0":
            return None
        if word.isdecimal() and int(word) in _EVENTS:
            return _EVENTS[int(word)]
        if word not in EVENTS_BY_NAME:
            raise click.BadParameter(f"{word!r} is not an event; {choice(word, EVENTS_BY_NAME)}")
        return word

    found: str | None = click.prompt(text, default=proposal, value_proc=known)
    return found


def _order(inspected: Inspected) -> Inspected:
    moments, column = inspected.moments, inspected.meant("timestamp")
    if moments is None or column is None or not moments.exchanged:
        return inspected
    day_first = click.confirm(f"Is the day before the month in {example(column.values[0])}?", default=True)
    return replace(inspected, month_first=not day_first)


def _zone(inspected: Inspected, layouts: Path) -> Inspected:
    if not inspected.needs_zone:
        return inspected
    zones = time_zones()

    def known(value: str) -> str:
        word = value.strip()
        if word not in zones:
            raise click.BadParameter(f"{word!r} is not an IANA time zone; {choice(word, zones)}")
        return word

    question = "Time zone of date-times without an offset, such as Europe/Brussels"
    return replace(inspected, timezone=click.prompt(question, default=_usual_zone(layouts), value_proc=known))


def _usual_zone(folder: Path) -> str | None:
    """The time zone of most other layouts."""
    zones: Counter[str] = Counter()
    try:
        paths = layout_paths(folder)
    except LayoutError:  # there is none yet
        return None
    for path in paths:
        try:
            zones.update(filter(None, [read_layout(path).timezone]))
        except LayoutError:  # `check` reports it
            continue
    return zones.most_common(1)[0][0] if zones else None


def _shown(name: str) -> str:
    return on_one_line(name, 40)
