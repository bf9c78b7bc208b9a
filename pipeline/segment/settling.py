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
    return _settle(send, messages.split(SEPARATOR)) if messages else Outcome(attempts=0)


def _settle(send: Send, messages: list[str]) -> Outcome:
    answer = send(SEPARATOR.join(messages), len(messages))
    match answer.verdict:
        case Delivered():
            return Outcome(answer.attempts)
        case RetryLater(reason):
            return Outcome(answer.attempts, postponed=reason)
        case Refused(reason):
            return Outcome(answer.attempts, refused=reason)
        case Rejected(reason) | TooLarge(reason) if len(messages) == 1:
            return Outcome(answer.attempts, dead=((message_id(messages[0]), reason),))
        case Rejected() | TooLarge():
            middle = len(messages) // 2
            first = _settle(send, messages[:middle])
            if not first.delivered:
                return Outcome(answer.attempts).then(first)
            return Outcome(answer.attempts).then(first).then(_settle(send, messages[middle:]))
