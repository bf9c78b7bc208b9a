"""The columns of a drafted layout, and what may become properties of events or traits of contacts."""

from collections.abc import Sequence

from pipeline.layout_drafting.inspected import Inspected
from pipeline.layout_drafting.property_proposals import PropertyProposal, property_proposals, trait_proposals
from pipeline.layout_drafting.sample_columns import Column, samples
from pipeline.layout_drafting.yaml_lines import aligned, note, scalar
from pipeline.masking import contains_address, on_one_line


def column_lines(inspected: Inspected) -> list[str]:
    """The key `columns`: each column with its meaning and the reason for it, or why it has none."""
    is_event = inspected.kind == "events"
    lines: list[tuple[str, str]] = []
    for column, guess, is_used in zip(inspected.columns, inspected.guesses, inspected.is_used, strict=True):
        if column is inspected.code and is_event:
            continue
        if is_used and guess.meaning and not contains_address(column.name):
            lines.append((f"{scalar(column.name)}: {guess.meaning}", f"{guess.why}; {samples(column, 1)}"))
            continue
        is_listed_below = _is_optional(inspected, column) and not contains_address(column.name)
        if not is_listed_below or guess.why:
            reason = guess.why if guess.meaning is None else ""
            if inspected.is_unnamed(column):
                reason = "its name is blank or duplicated"
            words = "; ".join(filter(None, (reason, samples(column), "" if is_event else "not kept")))
            lines.append((f"# {on_one_line(scalar(column.name), 60)}: ?", words))
    is_empty = all(text.startswith("#") for text, _ in lines)
    return ["columns: {}" if is_empty else "columns:", *aligned(lines)]


def _is_optional(inspected: Inspected, column: Column) -> bool:
    """Whether a column without a meaning is listed as a property or a trait."""
    return inspected.kind in ("events", "contacts") and not inspected.is_unnamed(column)


def optional_lines(inspected: Inspected) -> list[str]:
    """Columns without a meaning as commented properties or traits, so that a person chooses what Segment receives."""
    others = [
        column
        for column, is_used in zip(inspected.columns, inspected.is_used, strict=True)
        if not is_used and column is not inspected.code and _is_optional(inspected, column)
    ]
    if inspected.kind == "events":
        return _commented(
            "properties",
            list(property_proposals(others, inspected.meant("timestamp"))),
            "Columns without a meaning: they are kept in raw.events.extra, and not sent. To make one a property of its "
            "events, which Segment receives, remove the # before properties and before its line.",
        )
    return _commented(
        "traits",
        list(trait_proposals(others)),
        "Columns without a meaning, which are not kept. With SEGMENT_IDENTIFY, one can become a trait of its person, "
        "which Segment receives: remove the # before traits and before its line.",
    )


def _commented(key: str, proposals: Sequence[PropertyProposal], text: str) -> list[str]:
    shown = [one for one in proposals if not contains_address(one.source)]
    if not shown:
        return []
    lines = [
        (
            f"{scalar(one.source)}: " + (one.name if one.type == "text" else f"{{name: {one.name}, type: {one.type}}}"),
            "; ".join(filter(None, (one.why, one.samples))),
        )
        for one in shown
    ]
    return [*note(text), f"#{key}:", *(f"#{line}" for line in aligned(lines))]
