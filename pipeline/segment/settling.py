"""What becomes of one batch: whole, or taken apart until the event at fault is alone."""

from collections.abc import Callable
from dataclasses import dataclass

from pipeline.segment.client import Answer, Delivered, Refused, Rejected, RetryLater, TooLarge, message_id
from pipeline.segment.payloads import SEPARATOR

Send = Callable[[str, int], Answer]


@dataclass(frozen=True)
class Outcome:
    """Of a batch or a part of one: ids that are dead with Segment's words, and what keeps the rest waiting."""

    attempts: int
    dead: tuple[tuple[str, str], ...] = ()
    postponed: str | None = None
    refused: str | None = None

    @property
    def delivered(self) -> bool:
        """Everything that is not dead was taken."""
        return self.postponed is None and self.refused is None

    def then(self, second: "Outcome") -> "Outcome":
        """Both halves together."""
        return Outcome(
            self.attempts + second.attempts,
            self.dead + second.dead,
            self.postponed or second.postponed,
            self.refused or second.refused,
        )


def settle(send: Send, messages: str) -> Outcome:
    """Send a batch; where Segment won't take it as it is, send its halves, down to the single event.

    `messages` are the JSON objects of a batch, joined by `SEPARATOR`. One event that gets a 400 dies alone, with
    Segment's answer as its reason; its neighbours are delivered.
    """
    return _settle(send, messages) if messages else Outcome(attempts=0)


def _settle(send: Send, messages: str) -> Outcome:
    # Counted and not taken apart: nearly every batch is taken as it is.
    events = messages.count(SEPARATOR) + 1
    answer = send(messages, events)
    match answer.verdict:
        case Delivered():
            return Outcome(answer.attempts)
        case RetryLater(reason):
            return Outcome(answer.attempts, postponed=reason)
        case Refused(reason):
            return Outcome(answer.attempts, refused=reason)
        case Rejected(reason) | TooLarge(reason) if events == 1:
            return Outcome(answer.attempts, dead=((message_id(messages), reason),))
        case Rejected() | TooLarge():
            listed = messages.split(SEPARATOR)
            halves = (SEPARATOR.join(listed[: events // 2]), SEPARATOR.join(listed[events // 2 :]))
            first = Outcome(answer.attempts).then(_settle(send, halves[0]))
            return first.then(_settle(send, halves[1])) if first.delivered else first
