"""The event in a drafted layout: the column with its codes, or the one event of the file."""

from collections.abc import Mapping, Sequence

from pipeline.catalog import EVENTS_BY_NAME
from pipeline.layout_drafting.event_codes import Candidate, are_event_names
from pipeline.layout_drafting.inspected import Inspected
from pipeline.layout_drafting.known_codes import Proposal, proposal_of_name, proposals
from pipeline.layout_drafting.sample_columns import Column, samples
from pipeline.layout_drafting.yaml_lines import BLANK, PROPOSED, aligned, line, note, scalar
from pipeline.masking import contains_address, on_one_line


def event_lines(inspected: Inspected) -> list[str]:
    """The keys `event`, or `event_column` and `event_codes`."""
    code = inspected.code
    if code is None:
        return _one_event(inspected)
    return [
        *_others(inspected.candidates, code),
        *line("event_column", scalar(code.name), f"different values in the sample: {len(code.distinct)}"),
        *_codes(code, inspected.codes),
    ]


def _one_event(inspected: Inspected) -> list[str]:
    if inspected.event is not None:
        return line("event", inspected.event)
    if inspected.candidates:
        lines = _listed(inspected.candidates, "No column surely gives the event. If one of these does, name it with "
                        "event_column, and its codes with event_codes, in place of event:")  # fmt: skip
    else:
        lines = note("No column gives the event, so all rows are one.")
    lines += note(f"It is one of: {', '.join(EVENTS_BY_NAME)}.")
    name = inspected.file_name.name
    if (found := proposal_of_name(name)) is None:
        return [*lines, *line("event", BLANK, f"the file's name says {on_one_line(name, 60)!r}")]
    word, event = found
    return [*lines, *line("event", f"{PROPOSED} {event}", f"the file's name says {word!r}")]


def _others(candidates: Sequence[Candidate], code: Column) -> list[str]:
    others = [one for one in candidates if one.column is not code]
    return _listed(others, "Other columns with few short values, if the event is in one of them:") if others else []


def _listed(candidates: Sequence[Candidate], text: str) -> list[str]:
    return [
        *note(text),
        *(
            f"#   {on_one_line(scalar(one.column.name), 60)}: {len(one.column.distinct)} different values, "
            f"{samples(one.column)}"
            for one in candidates
            if not contains_address(one.column.name)
        ),
    ]


def _codes(code: Column, answers: Mapping[str, str | None]) -> list[str]:
    if are_event_names(code):
        others = [name for name in EVENTS_BY_NAME if name not in code.distinct]
        return [
            *note("The codes are the names of the events; all six are listed, and how often each occurs."),
            "event_codes:",
            *aligned([(f"{name}: {name}", f"{code.distinct[name]:,}") for name in (*code.distinct, *others)]),
        ]
    known = proposals(code)
    codes = [
        (f"{scalar(value)}: {answers[value] or 'null'}", f"{count:,}")
        if value in answers
        else _code(value, count, known.get(value))
        for value, count in code.distinct.items()
        if not contains_address(value)
    ]
    return [
        *note(f"The meaning of each code, and how often it occurs. One of: {', '.join(EVENTS_BY_NAME)};"),
        *note("or null: known, but none of these. A row with a code that is not listed is rejected."),
        "event_codes:",
        *aligned(codes or [(f"CODE: {BLANK}", "the sample has no rows; list the codes that occur")]),
    ]


def _code(value: str, count: int, proposal: Proposal | None) -> tuple[str, str]:
    """The line of a code, with its comment. A name of an event means itself."""
    if value in EVENTS_BY_NAME:
        return f"{scalar(value)}: {value}", f"{count:,}"
    if proposal is None:
        return f"{scalar(value)}: {BLANK}", f"{count:,}"
    return f"{scalar(value)}: {PROPOSED} {proposal.event or 'null'}", f"{count:,}; {proposal.why}"
