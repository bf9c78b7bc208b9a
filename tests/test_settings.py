"""Settings come from the environment or from `.env`; every fault is told at once, and no secret with it."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import SettingsError
from pipeline.settings import PROJECT_ROOT, Settings, load_settings

SECRET = "hunter2"
NAMES = [name.upper() for name in Settings.model_fields]


class Environment:
    """An environment without any setting but those that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, env_file: Path) -> None:
        self._monkeypatch = monkeypatch
        self.env_file = env_file
        monkeypatch.setitem(Settings.model_config, "env_file", env_file)
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)

    def load(self, **values: str) -> Settings:
        for name, value in values.items():
            self._monkeypatch.setenv(name, value)
        return load_settings()

    def refusal(self, **values: str) -> str:
        with pytest.raises(SettingsError) as refused:
            self.load(**values)
        return str(refused.value)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Environment:
    return Environment(monkeypatch, tmp_path / ".env")


def test_every_setting_of_the_contract_has_its_default(environment: Environment) -> None:
    found = environment.load()
    assert found.model_dump() == {
        "selligent_exports": f"{PROJECT_ROOT}/examples/exports",
        "selligent_layouts": PROJECT_ROOT / "examples" / "layouts",
        "selligent_suppressed": None,
        "segment_source_name": "Selligent Marketing Cloud",
        "segment_write_key": None,
        "segment_region": "us",
        "segment_endpoint": "https://api.segment.io",
        "segment_events_per_second": 1000,
        "segment_backfill_events_per_second": None,
        "segment_connections": 8,
        "segment_integrations": None,
        "segment_public_api": "https://api.segmentapis.com",
        "segment_public_api_token": None,
        "segment_source_id": None,
        "message_id_namespace": "Selligent Marketing Cloud",
        "segment_anonymous_id": "email",
        "warehouse": f"ducklake:sqlite:{PROJECT_ROOT}/data/warehouse.sqlite",
        "warehouse_files": f"{PROJECT_ROOT}/data/warehouse/",
        "ledger": f"sqlite:///{PROJECT_ROOT}/data/ledger.sqlite",
        "alert_webhook": None,
        "keep_snapshots_days": 30,
    }
    assert found.schema_name == "selligent_marketing_cloud"
    assert not found.delivers


def test_paths_are_relative_to_the_project_wherever_a_command_is_started(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    found = environment.load(
        SELLIGENT_EXPORTS="in",
        SELLIGENT_LAYOUTS="layouts",
        SELLIGENT_SUPPRESSED="suppressed.csv",
        WAREHOUSE="ducklake:sqlite:lake.sqlite",
        WAREHOUSE_FILES="files",
        LEDGER="sqlite:///ledger.sqlite",
    )
    assert found.selligent_exports == f"{PROJECT_ROOT}/in"
    assert found.selligent_layouts == PROJECT_ROOT / "layouts"
    assert found.selligent_suppressed == f"{PROJECT_ROOT}/suppressed.csv"
    assert found.warehouse == f"ducklake:sqlite:{PROJECT_ROOT}/lake.sqlite"
    assert found.warehouse_files == f"{PROJECT_ROOT}/files/"
    assert found.ledger == f"sqlite:///{PROJECT_ROOT}/ledger.sqlite"
    assert environment.load(WAREHOUSE="lake.duckdb").warehouse == f"{PROJECT_ROOT}/lake.duckdb"


def test_absolute_paths_and_urls_stay_as_they_are(environment: Environment) -> None:
    found = environment.load(
        SELLIGENT_EXPORTS="/in",
        SELLIGENT_LAYOUTS="/layouts",
        WAREHOUSE="ducklake:sqlite:/lake.sqlite",
        WAREHOUSE_FILES="/files/",
        LEDGER="sqlite:////ledger.sqlite",
    )
    assert (found.selligent_exports, found.selligent_layouts) == ("/in", Path("/layouts"))
    assert (found.warehouse, found.warehouse_files) == ("ducklake:sqlite:/lake.sqlite", "/files/")
    assert found.ledger == "sqlite:////ledger.sqlite"
    for url in ("sftp://user@host/out", "s3://bucket/prefix", "abfs://container/prefix"):
        assert environment.load(SELLIGENT_EXPORTS=url).selligent_exports == url
        assert environment.load(SELLIGENT_SUPPRESSED=url).selligent_suppressed == url
    assert environment.load(WAREHOUSE_FILES="s3://bucket/files").warehouse_files == "s3://bucket/files"


# Where settings come from


def test_settings_are_read_from_the_env_file(environment: Environment) -> None:
    environment.env_file.write_text("SEGMENT_SOURCE_NAME='My Shop'\nSEGMENT_WRITE_KEY=abc\nUNKNOWN_TO_US=1\n")
    found = environment.load()
    assert (found.segment_source_name, found.schema_name, found.delivers) == ("My Shop", "my_shop", True)


def test_the_environment_wins_over_the_env_file(environment: Environment) -> None:
    environment.env_file.write_text("SEGMENT_REGION=eu\nSEGMENT_CONNECTIONS=2\n")
    found = environment.load(SEGMENT_REGION="us")
    assert (found.segment_region, found.segment_connections) == ("us", 2)


def test_faults_of_the_env_file_are_told_too(environment: Environment) -> None:
    environment.env_file.write_text("SEGMENT_REGION=mars\nKEEP_SNAPSHOTS_DAYS=0\n")
    assert environment.refusal() == ("SEGMENT_REGION: 'mars' is not 'us' or 'eu'; KEEP_SNAPSHOTS_DAYS: '0' is below 1")


def test_the_env_file_lies_beside_pyproject() -> None:
    assert Settings.model_config["env_file"] == PROJECT_ROOT / ".env"
    assert (PROJECT_ROOT / "pyproject.toml").exists()


def test_a_setting_that_is_set_to_nothing_has_its_default(environment: Environment) -> None:
    found = environment.load(**dict.fromkeys(NAMES, ""))
    assert (found.segment_write_key, found.segment_connections) == (None, 8)
    assert found.segment_endpoint == "https://api.segment.io"


def test_settings_are_read_anew_each_time(environment: Environment) -> None:
    assert [environment.load(SEGMENT_CONNECTIONS=number).segment_connections for number in "23"] == [2, 3]


# Faults


def test_every_fault_is_told_at_once(environment: Environment) -> None:
    assert environment.refusal(
        SEGMENT_SOURCE_NAME="raw",
        SEGMENT_REGION="asia",
        SEGMENT_EVENTS_PER_SECOND="-5",
        SEGMENT_CONNECTIONS="0",
        SEGMENT_ANONYMOUS_ID="md5",
        WAREHOUSE="somewhere",
        LEDGER="nothing",
        KEEP_SNAPSHOTS_DAYS="0",
    ) == (
        "SEGMENT_SOURCE_NAME: 'raw' would name the schema 'raw', which is taken; choose another name; "
        "SEGMENT_REGION: 'asia' is not 'us' or 'eu'; "
        "SEGMENT_EVENTS_PER_SECOND: '-5' is below 0; "
        "SEGMENT_CONNECTIONS: '0' is below 1; "
        "SEGMENT_ANONYMOUS_ID: 'md5' is not 'email' or 'sha256'; "
        "WAREHOUSE: is none of ducklake:sqlite:FILE, ducklake:postgres:DSN and FILE.duckdb; "
        "LEDGER: is no SQLAlchemy URL; it looks like sqlite:///data/ledger.sqlite; "
        "KEEP_SNAPSHOTS_DAYS: '0' is below 1"
    )


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        ("-5", "'-5' is below 0"),
        ("1.5", "'1.5' is not a whole number"),
        ("many", "'many' is not a whole number"),
        ("1e3", "'1e3' is not a whole number"),
    ],
)
def test_a_ceiling_is_a_whole_number(environment: Environment, value: str, rest: str) -> None:
    assert environment.refusal(SEGMENT_EVENTS_PER_SECOND=value) == f"SEGMENT_EVENTS_PER_SECOND: {rest}"


def test_a_ceiling_of_zero_is_no_ceiling_but_there_is_one_connection_at_least(environment: Environment) -> None:
    assert environment.load(SEGMENT_EVENTS_PER_SECOND="0").segment_events_per_second == 0
    assert environment.load(SEGMENT_CONNECTIONS="1").segment_connections == 1
    assert environment.refusal(SEGMENT_CONNECTIONS="0") == "SEGMENT_CONNECTIONS: '0' is below 1"


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("Raw", "'Raw' would name the schema 'raw', which is taken; choose another name"),
        ("staging", "'staging' would name the schema 'staging', which is taken; choose another name"),
        ("Delivery!", "'Delivery!' would name the schema 'delivery', which is taken; choose another name"),
        (
            "Information Schema",
            "'Information Schema' would name the schema 'information_schema', which is taken; choose another name",
        ),
        ("日本", "'日本' has no ASCII letter or digit to name a schema with"),
        ("-", "'-' has no ASCII letter or digit to name a schema with"),
        ("Email opened", "'Email opened' has the same snake case as the event table 'email_opened'"),
    ],
)
def test_a_source_name_that_makes_no_schema_is_refused(environment: Environment, name: str, rest: str) -> None:
    assert environment.refusal(SEGMENT_SOURCE_NAME=name) == f"SEGMENT_SOURCE_NAME: {rest}"


def test_ids_are_of_the_namespace_and_else_of_the_source(environment: Environment) -> None:
    assert environment.load(SEGMENT_SOURCE_NAME="My Shop").message_id_namespace == "My Shop"
    assert environment.load(MESSAGE_ID_NAMESPACE="acme.example").message_id_namespace == "acme.example"


# The endpoint


@pytest.mark.parametrize(
    ("region", "endpoint"), [("us", "https://api.segment.io"), ("eu", "https://events.eu1.segmentapis.com")]
)
def test_a_region_has_its_endpoint(environment: Environment, region: str, endpoint: str) -> None:
    assert environment.load(SEGMENT_REGION=region).segment_endpoint == endpoint
    assert environment.load(SEGMENT_REGION=region, SEGMENT_ENDPOINT=endpoint).segment_endpoint == endpoint


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://events.example.com/", "https://events.example.com"),
        ("https://example.com/segment/", "https://example.com/segment"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.8.8.8", "http://127.8.8.8"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
    ],
)
def test_another_endpoint_is_https_or_this_machine(environment: Environment, given: str, taken: str) -> None:
    for region in ("us", "eu"):
        assert environment.load(SEGMENT_ENDPOINT=given, SEGMENT_REGION=region).segment_endpoint == taken


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://events.example.com",
        "http://api.segment.io",
        "http://localhost.example.com",
        "http://0.0.0.0",
        "http://10.0.0.1",
    ],
)
def test_events_never_leave_this_machine_unencrypted(environment: Environment, endpoint: str) -> None:
    assert environment.refusal(SEGMENT_ENDPOINT=endpoint) == (
        "SEGMENT_ENDPOINT: must start with https:// (http is allowed for this machine alone)"
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        "events.example.com",
        "ftp://example.com",
        "https://",
        "https:///path",
        "https://[::1",
        "https://example.com:port",
    ],
)
def test_an_endpoint_is_a_url(environment: Environment, endpoint: str) -> None:
    assert environment.refusal(SEGMENT_ENDPOINT=endpoint) == (
        "SEGMENT_ENDPOINT: is no URL; it looks like https://events.example.com"
    )


@pytest.mark.parametrize(
    ("region", "endpoint", "other"),
    [
        ("us", "https://events.eu1.segmentapis.com", "eu"),
        ("us", "https://EVENTS.eu1.segmentapis.com:443/v1", "eu"),
        ("us", "https://eu1.api.segmentapis.com", "eu"),
        ("eu", "https://api.segment.io/", "us"),
        ("eu", "https://API.segment.io", "us"),
    ],
)
def test_the_endpoint_of_another_region_is_refused(
    environment: Environment, region: str, endpoint: str, other: str
) -> None:
    assert environment.refusal(SEGMENT_REGION=region, SEGMENT_ENDPOINT=endpoint) == (
        f"SEGMENT_ENDPOINT: is Segment's endpoint for '{other}', but SEGMENT_REGION is '{region}': "
        "its events would be accepted and never seen"
    )


def test_an_endpoint_is_not_judged_by_a_region_that_is_none(environment: Environment) -> None:
    assert environment.refusal(SEGMENT_REGION="asia", SEGMENT_ENDPOINT="https://api.segment.io") == (
        "SEGMENT_REGION: 'asia' is not 'us' or 'eu'"
    )


# The Public API


def test_the_public_api_is_that_of_the_region(environment: Environment) -> None:
    assert environment.load(SEGMENT_REGION="eu").segment_public_api == "https://eu1.api.segmentapis.com"
    assert environment.load(SEGMENT_PUBLIC_API="http://127.0.0.1:8080/").segment_public_api == "http://127.0.0.1:8080"
    assert environment.refusal(SEGMENT_PUBLIC_API="https://api.segmentapis.com") == (
        "SEGMENT_PUBLIC_API: is Segment's endpoint for 'us', but SEGMENT_REGION is 'eu': it knows nothing of the source"
    )
    assert environment.refusal(SEGMENT_PUBLIC_API="http://api.segmentapis.com") == (
        "SEGMENT_PUBLIC_API: must start with https:// (http is allowed for this machine alone)"
    )


def test_a_token_needs_a_source_and_a_source_needs_a_token(environment: Environment) -> None:
    assert environment.load(SEGMENT_PUBLIC_API_TOKEN="t", SEGMENT_SOURCE_ID="s").segment_source_id == "s"
    assert environment.refusal(SEGMENT_SOURCE_ID="") == (
        "SEGMENT_SOURCE_ID: is missing, and SEGMENT_PUBLIC_API_TOKEN is set; set both or neither"
    )
    assert environment.refusal(SEGMENT_PUBLIC_API_TOKEN="", SEGMENT_SOURCE_ID="s") == (
        "SEGMENT_SOURCE_ID: is set, and SEGMENT_PUBLIC_API_TOKEN is missing; set both or neither"
    )


# Stores


@pytest.mark.parametrize(
    "warehouse",
    ["x", "x.sqlite", "ducklake:sqlite:", "ducklake:postgres:", "ducklake:x.duckdb", "md:x", "s3://b/x.duckdb"],
)
def test_a_warehouse_is_one_of_three(environment: Environment, warehouse: str) -> None:
    assert environment.refusal(WAREHOUSE=warehouse) == (
        "WAREHOUSE: is none of ducklake:sqlite:FILE, ducklake:postgres:DSN and FILE.duckdb"
    )


def test_a_catalog_may_be_a_server(environment: Environment) -> None:
    place = "ducklake:postgres:host=db dbname=lake"
    assert environment.load(WAREHOUSE=place).warehouse == place


@pytest.mark.parametrize(
    ("ledger", "rest"),
    [
        ("data/ledger.sqlite", "is no SQLAlchemy URL; it looks like sqlite:///data/ledger.sqlite"),
        ("sqlite://", "names no file; it looks like sqlite:///data/ledger.sqlite"),
        ("sqlite:///:memory:", "names no file; it looks like sqlite:///data/ledger.sqlite"),
        ("mysql://db/ledger", "is neither sqlite:///FILE nor postgresql://…"),
        ("postgresql://db:port/ledger", "is no SQLAlchemy URL; it looks like sqlite:///data/ledger.sqlite"),
    ],
)
def test_a_ledger_is_a_file_or_a_server(environment: Environment, ledger: str, rest: str) -> None:
    assert environment.refusal(LEDGER=ledger) == f"LEDGER: {rest}"


def test_the_password_of_a_ledger_reaches_the_database(environment: Environment) -> None:
    url = f"postgresql+psycopg://zoe:{SECRET}@db/ledger"
    assert environment.load(LEDGER=url).ledger == url


# Secrets


RIGHT_WITH_SECRETS = {
    "SEGMENT_WRITE_KEY": SECRET,
    "SEGMENT_ENDPOINT": f"https://zoe:{SECRET}@example.com",
    "SEGMENT_PUBLIC_API": f"https://zoe:{SECRET}@example.com",
    "SEGMENT_PUBLIC_API_TOKEN": SECRET,
    "SEGMENT_SOURCE_ID": "source-1",
    "SELLIGENT_EXPORTS": f"sftp://zoe:{SECRET}@example.com/out",
    "WAREHOUSE": f"ducklake:postgres:host=db password={SECRET}",
    "LEDGER": f"postgresql://zoe:{SECRET}@db/ledger",
}


def test_settings_can_be_shown_without_showing_a_secret(environment: Environment) -> None:
    found = environment.load(**RIGHT_WITH_SECRETS)
    for shown in (repr(found), str(found)):
        assert SECRET not in shown
        assert "segment_region='us'" in shown


def test_a_write_key_is_told_only_when_asked_for(environment: Environment) -> None:
    found = environment.load(SEGMENT_WRITE_KEY=SECRET)
    assert found.segment_write_key is not None
    assert found.segment_write_key.get_secret_value() == SECRET
    assert found.delivers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEGMENT_ENDPOINT", f"http://zoe:{SECRET}@example.com"),
        ("SEGMENT_ENDPOINT", f"ftp://zoe:{SECRET}@example.com"),
        ("SEGMENT_ENDPOINT", f"https://zoe:{SECRET}@events.eu1.segmentapis.com"),
        ("SEGMENT_ENDPOINT", f"https://zoe:{SECRET}@[::1"),
        ("WAREHOUSE", f"postgres:host=db password={SECRET}"),
        ("WAREHOUSE", f"ducklake:mysql:password={SECRET}"),
        ("LEDGER", f"mysql://zoe:{SECRET}@db/ledger"),
        ("LEDGER", f"zoe:{SECRET}@db"),
        ("LEDGER", f"postgresql://zoe:{SECRET}@db:port/ledger"),
        ("SEGMENT_PUBLIC_API_TOKEN", f"{SECRET}\u200b"),
        ("SEGMENT_PUBLIC_API_TOKEN", f"{SECRET} {SECRET}"),
        ("SEGMENT_PUBLIC_API", f"http://zoe:{SECRET}@example.com"),
        ("SEGMENT_PUBLIC_API", f"https://zoe:{SECRET}@eu1.api.segmentapis.com"),
        ("ALERT_WEBHOOK", f"http://example.com/{SECRET}"),
        ("ALERT_WEBHOOK", f"https://[::1/{SECRET}"),
    ],
)
def test_no_secret_is_repeated_in_an_error(environment: Environment, name: str, value: str) -> None:
    refusal = environment.refusal(**{name: value})
    assert refusal.startswith(f"{name}: ")
    assert SECRET not in refusal


def test_no_secret_is_repeated_beside_the_fault_of_another_setting(environment: Environment) -> None:
    assert environment.refusal(**RIGHT_WITH_SECRETS, SEGMENT_CONNECTIONS="0") == "SEGMENT_CONNECTIONS: '0' is below 1"


def test_what_led_to_an_error_holds_no_secret_either(environment: Environment) -> None:
    """A traceback shows the causes of an error, too."""
    with pytest.raises(SettingsError) as refused:
        environment.load(LEDGER=f"mysql://zoe:{SECRET}@db/ledger")
    error: Any = refused.value
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert SECRET not in repr(error.__context__)


@pytest.mark.parametrize("url", [f"https://hooks.example.com/{SECRET}", f"http://127.0.0.1:9/{SECRET}"])
def test_a_webhook_is_told_only_when_asked_for(environment: Environment, url: str) -> None:
    found = environment.load(ALERT_WEBHOOK=url)
    assert found.alert_webhook is not None
    assert found.alert_webhook.get_secret_value() == url
    assert SECRET not in f"{found!r} {found.model_dump()}"


def test_settings_do_not_change_under_way(environment: Environment) -> None:
    found = environment.load()
    with pytest.raises(ValueError, match="frozen"):
        found.segment_connections = 9


def test_a_setting_that_is_nearly_one_is_told(environment: Environment) -> None:
    """It would silently not count, and events would go to the wrong region."""
    assert environment.refusal(SEGMENT_REGOIN="eu") == "SEGMENT_REGOIN: is no setting; did you mean SEGMENT_REGION?"
    environment.env_file.write_text("SELIGENT_EXPORTS=/srv\n", "utf-8")
    assert "SELIGENT_EXPORTS: is no setting; did you mean SELLIGENT_EXPORTS?" in environment.refusal()


@pytest.mark.parametrize(
    ("given", "rate"),
    [
        ({}, 250),
        ({"SEGMENT_EVENTS_PER_SECOND": "10"}, 3),
        ({"SEGMENT_EVENTS_PER_SECOND": "0"}, 0),
        ({"SEGMENT_BACKFILL_EVENTS_PER_SECOND": "0"}, 0),
        ({"SEGMENT_BACKFILL_EVENTS_PER_SECOND": "7"}, 7),
    ],
)
def test_old_dates_have_a_quarter_of_the_ceiling_unless_told_otherwise(
    environment: Environment, given: dict[str, str], rate: int
) -> None:
    assert environment.load(**given).backfill_events_per_second == rate


def test_destinations_are_named_one_by_one(environment: Environment) -> None:
    assert environment.load().integrations is None
    chosen = environment.load(SEGMENT_INTEGRATIONS="Amplitude, Google Analytics 4").integrations
    assert chosen == {"All": False, "Amplitude": True, "Google Analytics 4": True}
    assert environment.refusal(SEGMENT_INTEGRATIONS="Amplitude,") == (
        "SEGMENT_INTEGRATIONS: holds an empty name; it looks like Amplitude, Google Analytics 4"
    )
