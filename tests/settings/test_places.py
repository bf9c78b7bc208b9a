"""Where things go to and come from: Segment's endpoint, its Public API, the stores."""

from pathlib import Path

import pytest

from tests.settings.environment import SECRET, Environment

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
        "SEGMENT_ENDPOINT: must start with https:// (http is allowed only for this machine)"
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
        "SEGMENT_ENDPOINT: is not a URL such as https://events.example.com"
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
        "SEGMENT_PUBLIC_API: must start with https:// (http is allowed only for this machine)"
    )


def test_a_token_needs_a_source_and_a_source_needs_a_token(environment: Environment) -> None:
    assert environment.load(SEGMENT_PUBLIC_API_TOKEN="token-of-the-api", SEGMENT_SOURCE_ID="s").segment_source_id == "s"
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
        "WAREHOUSE: is not one of ducklake:sqlite:FILE, ducklake:postgres:DSN and FILE.duckdb"
    )


def test_the_copy_of_a_warehouse_is_not_written_to(environment: Environment) -> None:
    assert environment.refusal(WAREHOUSE="data/lake.readable.duckdb") == (
        "WAREHOUSE: is the copy for readers; name the file itself"
    )


def test_a_catalog_may_be_a_server(environment: Environment) -> None:
    place = "ducklake:postgres:host=db dbname=lake"
    assert environment.load(WAREHOUSE=place).warehouse == place


@pytest.mark.parametrize(
    ("ledger", "rest"),
    [
        ("data/ledger.sqlite", "is not a SQLAlchemy URL such as sqlite:///data/ledger.sqlite"),
        ("sqlite://", "names no file; use a URL such as sqlite:///data/ledger.sqlite"),
        ("sqlite:///:memory:", "names no file; use a URL such as sqlite:///data/ledger.sqlite"),
        ("mysql://db/ledger", "is neither sqlite:///FILE nor postgresql://…"),
        ("postgresql://db:port/ledger", "is not a SQLAlchemy URL such as sqlite:///data/ledger.sqlite"),
    ],
)
def test_a_ledger_is_a_file_or_a_server(environment: Environment, ledger: str, rest: str) -> None:
    assert environment.refusal(LEDGER=ledger) == f"LEDGER: {rest}"


def test_the_password_of_a_ledger_reaches_the_database(environment: Environment) -> None:
    url = f"postgresql+psycopg://zoe:{SECRET}@db/ledger"
    assert environment.load(LEDGER=url).ledger == url


# The report


@pytest.mark.parametrize(
    ("report", "rest"),
    [
        ("stfp://host/out", "stfp:// is not a known protocol; use s3://, sftp://, ftps://, abfs:// or a folder"),
        ("s3://", "names no bucket; use a URL such as s3://bucket/prefix"),
        ("sftp:///out", "names no host; use a URL such as s3://bucket/prefix"),
        ("sftp://host:port/out", "is not a URL such as s3://bucket/prefix"),
        ("sftp://[::1/out", "is not a URL such as s3://bucket/prefix"),
    ],
)
def test_a_report_goes_to_a_folder_or_a_url(environment: Environment, report: str, rest: str) -> None:
    assert environment.refusal(REPORT=report) == f"REPORT: {rest}"


def test_a_file_is_no_folder_of_a_report(environment: Environment, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.touch()
    for path in (file, file / "folder"):
        assert environment.refusal(REPORT=str(path)) == f"REPORT: {file} is a file; name a folder"
