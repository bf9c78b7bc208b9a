"""The project's settings: from the environment, or from `.env` beside `pyproject.toml`, or from a brand's file.

One error lists every fault by the name of its setting; it never repeats a secret.
"""

import difflib
import math
import os
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from pipeline.catalog import EVENTS
from pipeline.errors import SettingsError
from pipeline.export_dates import ExportDates
from pipeline.naming import snake_case
from pipeline.openpgp import KeyRefused, SecretKey, key_in, opened_key
from pipeline.settings.brands import faults_of_brand
from pipeline.settings.destinations import check_folder
from pipeline.settings.env_file import text_of, values_of
from pipeline.settings.paths import BRAND, DEFAULT_STORES, ENV_FILE, PROJECT_ROOT, REPORT_DIR
from pipeline.settings.value_checks import check_key, check_namespace, check_region, check_url, clean, fault

# Segment docs, "Regional Segment": each region has its own endpoint, and the other's events are lost.
ENDPOINTS = {"us": "https://api.segment.io", "eu": "https://events.eu1.segmentapis.com"}
SEGMENT_DOMAINS = {"us": ("api.segment.io",), "eu": ("events.eu1.segmentapis.com", "eu1.api.segmentapis.com")}
# Segment docs, "Public API: Regional endpoints".
PUBLIC_APIS = {"us": "https://api.segmentapis.com", "eu": "https://eu1.api.segmentapis.com"}
PUBLIC_API_DOMAINS = {"us": ("api.segmentapis.com",), "eu": ("eu1.api.segmentapis.com",)}
RESERVED_SCHEMAS = {"raw", "staging", "delivery", "main", "temp", "system", "information_schema", "pg_catalog"}
# Variables that other libraries read: credentials of file systems, and the certificates that they trust.
_EXPORTED = ("AWS_", "AZURE_", "SSL_CERT_FILE", "SSL_CERT_DIR")
_OF_DBT = ("DBT_", "DO_NOT_TRACK")


class Settings(BaseSettings):
    """All settings; a field's name in capitals is the setting's name. `repr=False`: it may contain a secret."""

    model_config = SettingsConfigDict(
        env_file=ENV_FILE, env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    selligent_exports: str = Field(default="examples/exports", validate_default=True, repr=False)
    selligent_layouts: Path = Field(default=Path("examples/layouts"), validate_default=True)
    selligent_suppressed: str | None = Field(default=None, repr=False)
    selligent_follow_links: bool = False
    selligent_pgp_key: Path | None = None
    selligent_pgp_passphrase: SecretStr | None = Field(default=None, validate_default=True, repr=False)
    first_export_date: date = date(2024, 1, 1)
    segment_source_name: str = "Selligent Marketing Cloud"
    segment_write_key: SecretStr | None = Field(default=None, repr=False)
    segment_region: Literal["us", "eu"] = "us"
    segment_endpoint: str = Field(default="", validate_default=True, repr=False)
    segment_events_per_second: int = 1000
    segment_backfill_events_per_second: int | None = None
    segment_connections: int = 8
    segment_integrations: str | None = None
    segment_public_api: str = Field(default="", validate_default=True, repr=False)
    segment_public_api_token: SecretStr | None = Field(default=None, repr=False)
    segment_source_id: str | None = Field(default=None, validate_default=True)
    message_id_namespace: str = Field(default="", validate_default=True)
    segment_anonymous_id: Literal["email", "sha256"] = "email"
    segment_traits_email: Literal["plain", "sha256", "none"] = "plain"
    segment_bots: Literal["send", "hold"] = "send"
    segment_identify: bool = False
    warehouse: str = Field(
        default=f"ducklake:sqlite:{DEFAULT_STORES}/warehouse.sqlite", validate_default=True, repr=False
    )
    warehouse_files: str = Field(default=f"{DEFAULT_STORES}/warehouse/", validate_default=True)
    ledger: str = Field(default=f"sqlite:///{DEFAULT_STORES}/ledger.sqlite", validate_default=True, repr=False)
    report: str = Field(default=str(REPORT_DIR), repr=False)
    keep_snapshots_days: int = 30
    keep_runs_days: int = 90
    alert_webhook: SecretStr | None = Field(default=None, repr=False)

    @field_validator("*", mode="before")
    @classmethod
    def _clean_value(cls, value: object, info: ValidationInfo) -> object:
        return clean(value, info)

    @field_validator("selligent_exports", "selligent_suppressed")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        return value if value is None or "://" in value else str(PROJECT_ROOT / value)

    @field_validator("selligent_follow_links", "segment_identify", mode="before")
    @classmethod
    def _true_or_false(cls, value: object) -> object:
        words = {"true": True, "false": False}
        if str(value).lower() not in words:
            raise fault(f"{str(value)!r} is neither true nor false")
        return words[str(value).lower()]

    @field_validator("first_export_date", mode="before")
    @classmethod
    def _day_of_the_past(cls, value: object) -> date:
        try:
            day = date.fromisoformat(str(value))
        except ValueError:
            raise fault(f"{str(value)!r} is not a date such as 2024-01-01") from None
        if day > _today():
            raise fault(f"{day} is in the future")
        return day

    @field_validator("selligent_layouts")
    @classmethod
    def _layouts_folder(cls, value: Path) -> Path:
        return PROJECT_ROOT / value

    @field_validator("selligent_pgp_key")
    @classmethod
    def _secret_key(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        try:
            key_in(PROJECT_ROOT / value)
        except KeyRefused as error:
            raise fault(str(error)) from None
        return PROJECT_ROOT / value

    @field_validator("selligent_pgp_passphrase")
    @classmethod
    def _passphrase_of_the_key(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "selligent_pgp_key" not in info.data:  # which has a fault of its own
            return value
        if info.data["selligent_pgp_key"] is None:
            if value is not None:
                raise fault("is set, and SELLIGENT_PGP_KEY is missing; set it to the key that it opens")
            return None
        try:
            _opened(info.data["selligent_pgp_key"], value)
        except KeyRefused as error:
            raise fault(str(error)) from None
        return value

    @field_validator("segment_source_name")
    @classmethod
    def _source_makes_a_schema(cls, value: str) -> str:
        schema = snake_case(value)
        if not schema:
            raise fault(f"{value!r} has no ASCII letter or digit to name a schema with")
        if schema in RESERVED_SCHEMAS:
            raise fault(f"{value!r} would name the schema {schema!r}, which is taken; choose another name")
        if schema in {event.table for event in EVENTS}:
            raise fault(f"{value!r} has the same snake case as the event table {schema!r}")
        return value

    @field_validator("segment_endpoint")
    @classmethod
    def _endpoint_check_region(cls, value: str, info: ValidationInfo) -> str:
        lost = "its events would be accepted and never seen"
        return check_region(value, info, ENDPOINTS, SEGMENT_DOMAINS, "https://events.example.com", lost)

    @field_validator("segment_public_api")
    @classmethod
    def _public_api_check_region(cls, value: str, info: ValidationInfo) -> str:
        lost = "it knows nothing of the source"
        return check_region(value, info, PUBLIC_APIS, PUBLIC_API_DOMAINS, PUBLIC_APIS["us"], lost)

    @field_validator("segment_write_key", "segment_public_api_token")
    @classmethod
    def _key_of_a_header(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None:
            check_key(value.get_secret_value(), "key" if info.field_name == "segment_write_key" else "token")
        return value

    @field_validator("segment_source_id")
    @classmethod
    def _token_and_source(cls, value: str | None, info: ValidationInfo) -> str | None:
        if "segment_public_api_token" not in info.data:  # which has a fault of its own
            return value
        token = info.data["segment_public_api_token"]
        if token is not None and value is None:
            raise fault("is missing, and SEGMENT_PUBLIC_API_TOKEN is set; set both or neither")
        if token is None and value is not None:
            raise fault("is set, and SEGMENT_PUBLIC_API_TOKEN is missing; set both or neither")
        return value

    @field_validator("segment_integrations")
    @classmethod
    def _names_of_destinations(cls, value: str | None) -> str | None:
        if value is not None and not all(name.strip() for name in value.split(",")):
            raise fault("contains an empty name; use a list such as Amplitude, Google Analytics 4")
        return value

    @field_validator(
        "segment_events_per_second",
        "segment_backfill_events_per_second",
        "segment_connections",
        "keep_snapshots_days",
        "keep_runs_days",
        mode="before",
    )
    @classmethod
    def _whole_number(cls, value: object, info: ValidationInfo) -> int | None:
        if value is None:
            return None
        least = 1 if info.field_name in ("segment_connections", "keep_snapshots_days", "keep_runs_days") else 0
        try:
            number = int(str(value))
        except ValueError:
            raise fault(f"{str(value)!r} is not a whole number") from None
        if number < least:
            raise fault(f"{str(value)!r} is below {least}")
        return number

    @field_validator("message_id_namespace")
    @classmethod
    def _namespace_or_source(cls, value: str, info: ValidationInfo) -> str:
        if value:
            check_namespace(value)
        return value or str(info.data.get("segment_source_name", ""))

    @field_validator("warehouse")
    @classmethod
    def _known_warehouse(cls, value: str) -> str:
        for prefix in ("ducklake:sqlite:", "ducklake:postgres:"):
            path = value.removeprefix(prefix)
            if path != value and path:
                return f"{prefix}{PROJECT_ROOT / path}" if prefix == "ducklake:sqlite:" else value
        if value.endswith((".readable.duckdb", ".readable.db")):
            raise fault("is the copy for readers; name the file itself")
        if value.endswith((".duckdb", ".db")) and ":" not in value:
            return str(PROJECT_ROOT / value)
        raise fault("is not one of ducklake:sqlite:FILE, ducklake:postgres:DSN and FILE.duckdb")

    @field_validator("warehouse_files")
    @classmethod
    def _absolute_files(cls, value: str) -> str:
        if "://" not in value:
            return f"{PROJECT_ROOT / value}/"
        if not value.startswith("s3://") or not urlsplit(value).hostname:
            raise fault("is neither a folder nor s3://bucket/prefix/")
        return f"{value.rstrip('/')}/"

    @field_validator("ledger")
    @classmethod
    def _ledger_url(cls, value: str) -> str:
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):
            raise fault("is not a SQLAlchemy URL such as sqlite:///data/ledger.sqlite") from None
        if url.get_backend_name() == "sqlite":
            if not url.database or url.database == ":memory:":
                raise fault("names no file; use a URL such as sqlite:///data/ledger.sqlite")
            url = url.set(database=str(PROJECT_ROOT / url.database))
        elif url.get_backend_name() != "postgresql":
            raise fault("is neither sqlite:///FILE nor postgresql://…")
        return url.render_as_string(hide_password=False)

    @field_validator("report")
    @classmethod
    def _folder_of_the_report(cls, value: str) -> str:
        return check_folder(value, PROJECT_ROOT)

    @field_validator("alert_webhook")
    @classmethod
    def _webhook_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_url(value.get_secret_value(), "https://hooks.example.com/…")
        return value

    def loadable_dates(self) -> ExportDates:
        """The export dates that can be loaded now: from the first one to today, UTC."""
        return ExportDates(self.first_export_date, _today())

    @property
    def brand(self) -> str:
        """The brand of the file of settings; empty for `.env`."""
        return BRAND

    @property
    def pgp_key(self) -> SecretKey | None:
        """The key of encrypted exports, as it is now in its file. Raises KeyRefused: it has changed to none."""
        return _opened(self.selligent_pgp_key, self.selligent_pgp_passphrase) if self.selligent_pgp_key else None

    @cached_property
    def schema_name(self) -> str:
        """The schema of the event tables."""
        return snake_case(self.segment_source_name)

    @property
    def integrations(self) -> Mapping[str, bool] | None:
        """The destinations of the events, as in messages; None: all destinations of the source."""
        if self.segment_integrations is None:
            return None
        return {"All": False} | {name.strip(): True for name in self.segment_integrations.split(",")}

    @property
    def backfill_events_per_second(self) -> int:
        """The rate limit for old dates; 0: only the common one."""
        if self.segment_backfill_events_per_second is not None:
            return self.segment_backfill_events_per_second
        return math.ceil(self.segment_events_per_second / 4)

    @property
    def delivers(self) -> bool:
        """Whether events go to Segment; without a write key delivery is a dry run."""
        return self.segment_write_key is not None


def _today() -> date:
    return datetime.now(UTC).date()


def _opened(file: Path, passphrase: SecretStr | None) -> SecretKey:
    return opened_key(key_in(file), passphrase.get_secret_value() if passphrase else None)


# Names of fields; their values are redacted in whatever leaves the program.
SECRETS = tuple(name for name, field in Settings.model_fields.items() if not field.repr)


def export_credentials() -> None:
    """Export the file's variables of S3 and Azure to the environment. Raises SettingsError: it can't be read."""
    for name, value in _of_env_file().items():
        if name.startswith(_EXPORTED) and value and (BRAND or name not in os.environ):
            # A brand's own come first: the environment may have those of `.env` or of another brand.
            os.environ[name] = value


def load_settings() -> Settings:
    """The current settings, credentials exported. Raises SettingsError: naming every wrong setting, in one line."""
    export_credentials()
    env_file = _env_file()
    # dbt's variables are set during a run, and are no settings.
    environment = ((name, value) for name, value in os.environ.items() if not name.startswith(_OF_DBT))
    settings, faults = _settings_of(frozenset(environment), env_file, text_of(env_file))
    if BRAND:  # not cached, since the files of the other brands are part of it
        faults = [*faults, *faults_of_brand(settings, env_file, _of_env_file())]
    if faults:
        raise SettingsError("; ".join(faults))
    return settings


@lru_cache(maxsize=1)
def _settings_of(
    _environment: Set[tuple[str, str]], _env_file: Path, _text: str | None
) -> tuple[Settings, Sequence[str]]:
    """The settings of what they are read from, which a run asks for dozens of times, with faults beside their values.

    Raises SettingsError: a value is wrong.
    """
    faults = [*_folders_not_utf8(), *_misspelled()]
    try:
        return Settings(), faults
    except ValidationError as error:
        faults += [_sentence(detail) for detail in error.errors(include_url=False)]
        raise SettingsError("; ".join(faults)) from None


def _misspelled() -> list[str]:
    """Names that are nearly a setting's, which would be ignored silently. Those of dbt are its own."""
    known = {name.upper() for name in Settings.model_fields}
    given = {name.upper() for name in (*os.environ, *_of_env_file()) if not name.startswith("DBT_")} - known
    near = {name: difflib.get_close_matches(name, known, n=1, cutoff=0.85) for name in sorted(given)}
    return [f"{name}: is not a setting; did you mean {matches[0]}?" for name, matches in near.items() if matches]


def _folders_not_utf8() -> list[str]:
    """Folders without a setting whose path can't be passed to DuckDB and dbt."""
    folders = {"The project's folder": str(PROJECT_ROOT)}
    folders |= {name: os.environ[name] for name in ("PIPELINE_DATA_DIR", "DAGSTER_HOME") if name in os.environ}
    return [
        f"{name}: {os.fsencode(path)!r} is a path that is not UTF-8; rename or move the folder"
        for name, path in folders.items()
        if not path.isascii() and path.encode("utf-8", "replace") != os.fsencode(path)
    ]


def _env_file() -> Path:
    path = Settings.model_config["env_file"]
    assert isinstance(path, Path)  # there is one file
    return path


def _of_env_file() -> Mapping[str, str | None]:
    return values_of(_env_file(), must_exist=bool(BRAND))


def _sentence(detail: ErrorDetails) -> str:
    field = str(detail["loc"][0])
    if detail["type"] != "literal_error":
        return f"{field.upper()}: {detail['msg']}"
    shown = "the value" if field in SECRETS else repr(detail["input"])
    context: dict[str, Any] = detail.get("ctx", {})
    return f"{field.upper()}: {shown} is not {context.get('expected')}"
