"""What a person has to do before a drafted layout is right, as numbered steps."""

from collections.abc import Iterator, Sequence

from pipeline.catalog import EVENTS_BY_NAME
from pipeline.layout_drafting.event_codes import are_event_names
from pipeline.layout_drafting.inspected import Inspected
from pipeline.layout_drafting.known_codes import proposal_of_name, proposals
from pipeline.layout_drafting.yaml_lines import BLANK, PROPOSED, scalar
from pipeline.masking import contains_address, on_one_line

_SHOWN_CODES = 12
_ALTERNATIVES = " (or email, or list_id and selligent_user_id)"


def open_points(inspected: Inspected) -> list[str]:
    """The steps, in the order of the draft; the last one is always there."""
    points = [*_of_file(inspected)]
    if inspected.kind == "events":
        points += [*_of_times(inspected), *_of_event(inspected)]
    return [*points, *_of_columns(inspected), *_at_the_end(inspected)]


def _of_file(inspected: Inspected) -> Iterator[str]:
    table, decoded = inspected.table, inspected.decoded
    yield from (f"files: {_checked(text)}" for text in inspected.file_name.notes if PROPOSED in text)
    if decoded is not None and (PROPOSED in decoded.why or "a guess" in decoded.why):
        yield f"encoding: is it {decoded.encoding}? Read the reason beside it."
    if table.is_delimited and table.quote is None and table.has_quotes_inside:
        yield "quote: are values enclosed in quotes? Read the reason beside it."
    if table.swallowing:
        yield "quote: do quoted values really contain whole rows? Read the reason beside it."
    if table.is_delimited and not table.has_header and not table.names:
        yield "header: the names are made up; replace those that you use by names of your own, also below columns."
    if table.repeated_headers:
        yield "header: the header row occurs again among the rows; ask whether files were joined."


def _checked(text: str) -> str:
    return on_one_line(text.partition(f"{PROPOSED}: ")[2], 200)


def _of_times(inspected: Inspected) -> Iterator[str]:
    if inspected.needs_zone:
        column = inspected.meant("timestamp")
        of = f" of {_shown(column.name)}" if column else ""
        yield f"timezone: replace {BLANK} with the time zone{of}, such as Europe/Brussels."
    if inspected.is_order_open:
        yield "datetime_formats: is the day or the month first? Both formats are shown above the key."


def _of_event(inspected: Inspected) -> Iterator[str]:
    code = inspected.code
    if inspected.event is not None:
        return
    if code is None:
        is_proposed = proposal_of_name(inspected.file_name.name) is not None
        do = f"remove the word {PROPOSED} if the event is right" if is_proposed else f"replace {BLANK} with the event"
        yield f"event: {do}; or name the column with its codes."
        return
    rivals = [one for one in inspected.candidates if one.column is not code and one.rank]
    if not inspected.codes and (rivals or not any(one.rank for one in inspected.candidates if one.column is code)):
        yield f"event_column: is it {_shown(code.name)}? Other columns with few short values are listed above it."
    if are_event_names(code):
        return
    known = proposals(code)
    settled = {*EVENTS_BY_NAME, *inspected.codes}
    codes = [value for value in code.distinct if value not in settled and not contains_address(value)]
    unknown = [value for value in codes if value not in known]
    if unknown or not code.distinct:
        yield f"event_codes: replace {BLANK} with an event or null{_of(unknown)}."
    if proposed := [value for value in codes if value in known]:
        yield f"event_codes: read each reason, and remove the word {PROPOSED}{_of(proposed)}."


def _of(codes: Sequence[str]) -> str:
    shown = ", ".join(_shown(scalar(code)) for code in codes[:_SHOWN_CODES])
    rest = f" and {len(codes) - _SHOWN_CODES:,} more" if len(codes) > _SHOWN_CODES else ""
    return f": {shown}{rest}" if shown else ""


def _of_columns(inspected: Inspected) -> Iterator[str]:
    if missing := inspected.missing:
        yield (
            f"columns: MISSING: no column was found that means {' or '.join(missing)}"
            f"{_ALTERNATIVES if 'user_id' in missing else ''}; without it, this layout is refused."
        )
    for column, guess in zip(inspected.columns, inspected.guesses, strict=True):
        if PROPOSED in guess.why and not (column is inspected.code or contains_address(column.name)):
            meaning = f" as {guess.meaning}" if guess.meaning else ""
            yield f"columns: {_shown(column.name)}{meaning}: {_checked(guess.why)}."


def _at_the_end(inspected: Inspected) -> Iterator[str]:
    chosen = {"events": "properties", "contacts": "traits"}.get(inspected.kind)
    if chosen and not all(inspected.is_used):
        yield f"Optional: {chosen}: choose what else Segment should receive."
    yield "Save this as a .yml file in the folder SELLIGENT_LAYOUTS, then run `python -m pipeline check`."


def _shown(name: str) -> str:
    return on_one_line(name, 60)
