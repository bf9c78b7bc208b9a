"""What decides how due events are cut into batches, and what a cut has done."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from pipeline.segment.messages import MAX_BATCH_EVENTS


@dataclass(frozen=True)
class Limits:
    """The maximum events of a batch, and the maximum for export dates earlier than `before`; None: Segment's limit."""

    events: int | None = None
    old_events: int | None = None
    before: date = date.min

    def as_sql(self) -> str:
        """SQL for the limit of a row with an `export_date`."""
        new, old = (min(MAX_BATCH_EVENTS, most or MAX_BATCH_EVENTS) for most in (self.events, self.old_events))
        return f"CASE WHEN export_date < DATE '{self.before}' THEN {old} ELSE {new} END" if new != old else f"{new}"


@dataclass(frozen=True)
class CutRules:
    """Rules for cutting batches.

    `integrations` are the destinations that messages name. Events of `withheld` dates are not due. `limits` are below
    Segment's where a low rate limit requires it. Events of `replayed_ids` that are due move from their batches into new
    ones; with `replays_only`, no other events are cut. With `hold_bots`, events that machines caused are cut into
    batches of their own, which are held. With `identify`, the identities of contacts are due, too. `hold_from` are
    export dates whose new events are held if there are so many or more, and `held_because` are their reasons; None:
    they need not be counted. With `only`, all events are of certain exports, and held.
    """

    integrations: Mapping[str, bool] | None = None
    withheld: Collection[date] = ()
    limits: Limits = Limits()
    replayed_ids: Collection[str] = ()
    replays_only: bool = False
    hold_bots: bool = False
    identify: bool = False
    hold_from: Mapping[date, int] | None = None
    held_because: Mapping[date, str] = field(default_factory=dict)
    only: "HeldExports | None" = None


@dataclass(frozen=True)
class HeldExports:
    """Exports that Selligent wrote until a time, and why their events are held."""

    until: datetime
    because: str


@dataclass(frozen=True)
class Cut:
    """The result of a cut: events by event name, undeliverable events, and batches; `replayed_ids` had been in other
    batches before. `held` events are those of machines in held batches. `new` are the other events by export date, if
    they were counted; those of `replacing` dates are held.
    """

    events: Mapping[str, int]
    dead: int
    batches: int
    replayed_ids: Sequence[str] = ()
    held: int = 0
    new: Mapping[date, int] = field(default_factory=dict)
    replacing: Collection[date] = ()

    def after(self, first: "Cut") -> "Cut":
        """Both cuts: this one, and a `first` one of other events, which counts in the sums only."""
        events = {
            event: self.events.get(event, 0) + first.events.get(event, 0) for event in {**first.events, **self.events}
        }
        return replace(self, events=events, dead=self.dead + first.dead, batches=self.batches + first.batches)

    @property
    def replacing_events(self) -> int:
        """The number of events that are held since they seem to replace delivered ones."""
        return sum(self.new[day] for day in self.replacing)
