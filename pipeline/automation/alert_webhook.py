"""Alerts to ALERT_WEBHOOK. An alert that can't be sent must never cause another failure."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pipeline.http.errors import NoReply
from pipeline.http.session import BoundedSession, Reply
from pipeline.settings import BRAND, Settings

# The base URL of the link to a run, unless DAGSTER_UI_URL is set; `pipeline ui` sets it to its own port.
UI_URL_VARIABLE = "DAGSTER_UI_URL"
DEFAULT_UI_URL = "http://127.0.0.1:3000"
TIMEOUT_SECONDS = 10


Outcome = Literal["failed", "has a failed check", "warns"]


@dataclass(frozen=True)
class Alert:
    """A run and how it ended: its export dates, the steps or assets concerned, and the reason. Without a run, `job` is
    the sensor that could not request one.
    """

    job: str
    run_id: str | None
    dates: str
    outcome: Outcome
    steps: Sequence[str]
    error: str

    @property
    def what(self) -> str:
        """What it is about."""
        return f"run {self.run_id}" if self.run_id else f"the failure of {self.job}"

    def as_json(self) -> dict[str, str | Sequence[str] | None]:
        """The request body; Slack, Teams and Mattermost show `text`."""
        page = f"runs/{self.run_id}" if self.run_id else "automation"
        link = f"{os.environ.get(UI_URL_VARIABLE, DEFAULT_UI_URL).rstrip('/')}/{page}"
        of_dates = f" of {self.dates}" if self.dates else ""
        where = f" at {', '.join(self.steps)}" if self.steps else ""
        brand = f"{BRAND}: " if BRAND else ""
        return {
            "text": f"{brand}{self.job}{of_dates} {self.outcome}{where}: {self.error} {link}",
            "severity": "warning" if self.outcome == "warns" else "error",
            "job": self.job,
            "partition": self.dates,
            "step": ", ".join(self.steps),
            "error": self.error,
            "run_id": self.run_id,
            "run_url": link,
        }


def send(alert: Alert, settings: Settings, log: Callable[[str], None]) -> bool:
    """POST the alert. Returns whether it was accepted. Errors are logged without the URL, which is a secret."""
    if settings.alert_webhook is None:
        return False
    with BoundedSession(seconds=TIMEOUT_SECONDS) as session:
        url = settings.alert_webhook.get_secret_value()
        reply = session.exchange("POST", url, json=alert.as_json(), host="its host")
    match reply:
        case NoReply(reason):
            log(f"ALERT_WEBHOOK could not be reached: {reason}; {alert.what} was not reported.")
            return False
        case Reply(status) if status >= 300:
            log(f"ALERT_WEBHOOK answered {status}; {alert.what} was not reported.")
            return False
    return True
