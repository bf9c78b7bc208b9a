"""Why a step failed, in one sentence, without what must not be told."""

import os
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, urlsplit

import dagster as dg

from pipeline.masking import masked
from pipeline.settings import Settings

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
    for secret in (settings.segment_write_key, settings.segment_public_api_token, settings.alert_webhook):
        if secret is not None:
            yield secret.get_secret_value()
    for place in (
        settings.ledger,
        settings.warehouse,
        settings.selligent_exports,
        settings.selligent_suppressed or "",
        settings.segment_endpoint,
        settings.segment_public_api,
    ):
        yield from (secret for secret in _passwords(place) if len(secret) >= _SHORTEST_SECRET)


def _passwords(place: str) -> Iterator[str]:
    """The password of a URL, or of a PostgreSQL connection string (`password=…`)."""
    for part in place.split():
        if part.startswith("password="):
            yield part.removeprefix("password=").strip("'\"")
    try:
        password = urlsplit(place.removeprefix("ducklake:postgres:")).password
    except ValueError:
        return
    if password:
        plain = unquote(password)
        yield from {password, plain, quote(plain, safe=""), quote_plus(plain)}  # drivers repeat it in any of these
