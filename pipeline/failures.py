"""Why a step failed, in one sentence, without what must not be told."""

import os
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

import dagster as dg
from pydantic import SecretStr

from pipeline.masking import masked
from pipeline.settings import SECRETS, Settings
from pipeline.warehouse.postgres import parameters_of

SEE_THE_RUN = "see the run in Dagster's UI"
HIDDEN = "***"
# Of a text that is told elsewhere, nothing but its beginning is needed.
_LONGEST = 1000
# A password of fewer characters than this would blank half a sentence.
_SHORTEST_SECRET = 4
# Variables of S3 and Azure that hold secrets.
_CREDENTIALS = (
    *("AWS_SECRET", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AZURE_CLIENT_SECRET"),
    *(f"AZURE_STORAGE_{name}" for name in ("ACCOUNT_KEY", "CONNECTION_STRING", "SAS_TOKEN", "CLIENT_SECRET")),
)
_IN_CONNECTION_STRINGS = ("AccountKey=", "SharedAccessSignature=")


def reason_of(event: dg.DagsterEvent) -> str:
    """The sentence of the error that a step failed with; the innermost cause says most."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    if error is None:
        return SEE_THE_RUN
    return str(error.message).strip().removeprefix("pipeline.errors.")


def fit_to_tell(text: str, settings: Settings) -> str:
    """A text without passwords, keys and e-mail addresses, for those outside."""
    for secret in sorted(set(_secrets(settings)), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return masked(text)[:_LONGEST]


def _secrets(settings: Settings) -> Iterator[str]:
    for name, value in os.environ.items():
        if name.startswith(_CREDENTIALS) and len(value) >= _SHORTEST_SECRET:
            yield value
            yield from (part.partition("=")[2] for part in value.split(";") if part.startswith(_IN_CONNECTION_STRINGS))
    for name in SECRETS:
        match getattr(settings, name):
            case SecretStr() as secret:
                yield secret.get_secret_value()
            case str() as place:
                yield from (password for password in _passwords(place) if len(password) >= _SHORTEST_SECRET)


def _passwords(place: str) -> Iterator[str]:
    """The password of a URL, or of a PostgreSQL connection string (`password=…`)."""
    dsn = place.removeprefix("ducklake:postgres:")
    yield from (value for name, value in parameters_of(dsn).items() if "password" in name)
    try:
        url = urlsplit(dsn)
    except ValueError:
        return
    for password in (url.password, *(value for name, value in parse_qsl(url.query) if "password" in name)):
        if password:
            plain = unquote(password)
            yield from {password, plain, quote(plain, safe=""), quote_plus(plain)}  # drivers repeat it in any of these
