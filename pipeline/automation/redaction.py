"""The reason of a failure in one sentence, without secrets and addresses."""

import os
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

import dagster as dg
from pydantic import SecretStr

from pipeline.masking import masked
from pipeline.orchestration.system_errors import completed, sentence
from pipeline.settings import SECRETS, Settings
from pipeline.warehouse.postgres import parameters_of

SEE_THE_RUN = "see the run in Dagster's UI"
HIDDEN = "***"
# The beginning of a message is enough for an alert.
_LONGEST = 1000
# A shorter secret is not replaced: it would occur in ordinary words.
_SHORTEST_SECRET = 4
# Variables of S3 and Azure that hold secrets.
_CREDENTIALS = (
    *("AWS_SECRET", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AZURE_CLIENT_SECRET"),
    *(f"AZURE_STORAGE_{name}" for name in ("ACCOUNT_KEY", "CONNECTION_STRING", "SAS_TOKEN", "CLIENT_SECRET")),
)
# As Python writes them.
_OF_THE_SYSTEM = re.compile(r"[\w.]+: \[Errno -?\d+\] (?P<words>[^:]+)(?:: '(?P<file>.*)')?$", re.DOTALL)
_OF_UNICODE = re.compile(r"Unicode\w*Error: (?P<words>.*)", re.DOTALL)
_INTERRUPTED = "dagster._core.errors.DagsterExecutionInterruptedError"
_OURS = "pipeline.errors."
_OF_DBT = f"{_OURS}ModelsFailed:"
_IN_CONNECTION_STRINGS = ("AccountKey=", "SharedAccessSignature=")


def reason_of(event: dg.DagsterEvent, settings: Settings) -> str:
    """The sentence of the error that a step or a run failed with: that of the innermost cause."""
    if event.is_step_failure:
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            return _sentence(str(data.user_failure_data.description), settings)
        error = data.error
    else:
        error = getattr(event.event_specific_data, "error", None)
    causes = []
    while error is not None:
        causes.append(error)
        error = error.cause
    if not causes:
        return SEE_THE_RUN
    return _sentence(str(causes[-1].message).strip(), settings)


def _sentence(text: str, settings: Settings) -> str:
    """The sentence of an error as Dagster stores it: `SomeError: what happened`, perhaps over several lines."""
    if text.startswith(_OF_DBT):  # which may contain errors of the system
        text = text.removeprefix(_OF_DBT)
    elif text.startswith(_OURS):
        return " ".join(completed(text.removeprefix(_OURS), settings).split())
    if text.startswith(_INTERRUPTED):
        return "a signal ended the run: Ctrl+C, or its service was stopped; the next run continues"
    if (words := sentence(text, settings)) is not None:
        return words
    if found := _OF_THE_SYSTEM.match(text):
        text = f"{found['file']}: {found['words']}" if found["file"] else found["words"]
    elif found := _OF_UNICODE.match(text):
        text = f"a text has another encoding than expected: {found['words']}"
    return " ".join(text.split())


def redacted(text: str, settings: Settings) -> str:
    """A text without passwords, keys and email addresses, as it may leave the program."""
    for secret in sorted(set(_secrets(settings)), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return masked(text)[:_LONGEST]


def _secrets(settings: Settings) -> Iterator[str]:
    for name, value in os.environ.items():
        if name.startswith(_CREDENTIALS):
            yield value
            yield from (part.partition("=")[2] for part in value.split(";") if part.startswith(_IN_CONNECTION_STRINGS))
    for name in SECRETS:
        match getattr(settings, name):
            case SecretStr() as secret:
                yield secret.get_secret_value()
            case str() as location:
                yield from _passwords(location)


def _passwords(location: str) -> Iterator[str]:
    """The password of a URL, or of a PostgreSQL connection string (`password=…`)."""
    dsn = location.removeprefix("ducklake:postgres:")
    yield from (value for name, value in parameters_of(dsn).items() if "password" in name)
    try:
        url = urlsplit(dsn)
    except ValueError:
        return
    for password in (url.password, *(value for name, value in parse_qsl(url.query) if "password" in name)):
        if password:
            plain = unquote(password)
            yield from {password, plain, quote(plain, safe=""), quote_plus(plain)}  # drivers repeat it in any of these
