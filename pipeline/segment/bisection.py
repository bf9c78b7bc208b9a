"""Send one batch: whole, or in halves until each rejected event is isolated."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.segment.client import SendResult, message_id
from pipeline.segment.messages import ENVELOPE_BYTES, MAX_BATCH_BYTES, SEPARATOR
from pipeline.segment.verdicts import Delivered, Refused, Rejected, RetryLater, TooLarge

Send = Callable[[bytes, int], SendResult]

_SEPARATOR = SEPARATOR.encode()


@dataclass(frozen=True)
class Outcome:
    """The result of a batch or a part of one: accepted and dead events, and what keeps the rest waiting.

    `unproven`: the rejected event of a single-event batch; the event or every request may be at fault.
    """

    attempts: int
    accepted: int = 0
    dead: tuple[tuple[str, str], ...] = ()
    postponed: str | None = None
    refused: str | None = None
    unproven: tuple[str, str] | None = None

    @property
    def settled(self) -> bool:
        """Whether every event was accepted or is dead."""
        return self.postponed is None and self.refused is None and self.unproven is None

    def then(self, second: "Outcome") -> "Outcome":
        """Combine both halves."""
        return Outcome(
            self.attempts + second.attempts,
            self.accepted + second.accepted,
            self.dead + second.dead,
            self.postponed or second.postponed,
            self.refused or second.refused,
        )

    def proven(self) -> "Outcome":
        """This outcome if Segment has accepted other events: the unproven event is dead."""
        return replace(self, dead=(self.unproven,), unproven=None) if self.unproven else self

    def waiting(self) -> "Outcome":
        """This outcome if Segment has accepted no other event: the unproven event stays waiting."""
        if self.unproven is None:
            return self
        reason = f"{self.unproven[1]}. No other event was accepted either, so it stays waiting."
        return replace(self, refused=reason, unproven=None)


def send_bisecting(send: Send, messages: bytes) -> Outcome:
    """Send a batch; where Segment rejects it, send its halves, down to single events.

    `messages` are the JSON objects of a batch, joined by `SEPARATOR`. A batch that late names have made too large for
    Segment is halved before it is sent. An event that is rejected (400, 413, 422) when it
    is sent alone is dead, with Segment's response as its reason; its neighbours are delivered. If every event is
    rejected, none is dead: the fault is in all requests, or in the server. The event of a single-event batch is
    `unproven`.
    """
    if not messages:
        return Outcome(attempts=0)
    outcome = _bisect(send, messages)
    if outcome.accepted or not outcome.dead:
        return outcome
    (key, reason), rejected = outcome.dead[0], len(outcome.dead)
    if not outcome.settled:  # too early to know
        return replace(outcome, dead=())
    if rejected == 1:
        return replace(outcome, dead=(), unproven=(key, reason))
    everything = f"Each of the {rejected:,} events of a batch was rejected, so none is marked as dead. {reason}"
    return replace(outcome, dead=(), refused=everything)


def _bisect(send: Send, messages: bytes) -> Outcome:
    # Counted, not split: nearly every batch is accepted as it is. Messages have no raw line breaks, `SEPARATOR` one.
    events = messages.count(b"\n") + 1
    is_large = events > 1 and len(messages) > MAX_BATCH_BYTES - ENVELOPE_BYTES
    answer = SendResult(TooLarge("larger than Segment takes"), 0) if is_large else send(messages, events)
    match answer.verdict:
        case Delivered():
            return Outcome(answer.attempts, accepted=events)
        case RetryLater(reason):
            return Outcome(answer.attempts, postponed=reason)
        case Refused(reason):
            return Outcome(answer.attempts, refused=reason)
        case Rejected(reason) | TooLarge(reason) if events == 1:
            return Outcome(answer.attempts, dead=((message_id(messages), reason),))
        case Rejected() | TooLarge():
            listed = messages.split(_SEPARATOR)
            halves = (_SEPARATOR.join(listed[: events // 2]), _SEPARATOR.join(listed[events // 2 :]))
            first = Outcome(answer.attempts).then(_bisect(send, halves[0]))
            return first.then(_bisect(send, halves[1])) if first.settled else first
