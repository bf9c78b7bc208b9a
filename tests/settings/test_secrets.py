"""No secret is printed, not even with a fault."""

from typing import Any

import pytest

from pipeline.errors import SettingsError
from tests.settings.environment import SECRET, Environment

RIGHT_WITH_SECRETS = {
    "SEGMENT_WRITE_KEY": SECRET,
    "SEGMENT_ENDPOINT": f"https://zoe:{SECRET}@example.com",
    "SEGMENT_PUBLIC_API": f"https://zoe:{SECRET}@example.com",
    "SEGMENT_PUBLIC_API_TOKEN": SECRET,
    "SEGMENT_SOURCE_ID": "source-1",
    "SELLIGENT_EXPORTS": f"sftp://zoe:{SECRET}@example.com/out",
    "WAREHOUSE": f"ducklake:postgres:host=db password={SECRET}",
    "LEDGER": f"postgresql://zoe:{SECRET}@db/ledger",
    "REPORT": f"sftp://zoe:{SECRET}@example.com/report",
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
        ("SEGMENT_WRITE_KEY", f"{SECRET}\u200b"),
        ("SEGMENT_WRITE_KEY", f"{SECRET} {SECRET}"),
        ("SEGMENT_WRITE_KEY", f"{SECRET}\n{SECRET}"),
        ("SEGMENT_WRITE_KEY", f"{{{{{SECRET}}}}}"),
        ("LEDGER", f"postgresql://zoe:{SECRET}\udce9@db/ledger"),
        ("WAREHOUSE", f"ducklake:postgres:host=db password='{SECRET}{{#'"),
        ("SEGMENT_PUBLIC_API_TOKEN", f"{SECRET}\u200b"),
        ("SEGMENT_PUBLIC_API_TOKEN", f"{SECRET} {SECRET}"),
        ("SEGMENT_PUBLIC_API", f"http://zoe:{SECRET}@example.com"),
        ("SEGMENT_PUBLIC_API", f"https://zoe:{SECRET}@eu1.api.segmentapis.com"),
        ("REPORT", f"stfp://zoe:{SECRET}@example.com/report"),
        ("REPORT", f"sftp://zoe:{SECRET}@[::1/report"),
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
    assert environment.refusal(SEGMENT_REGOIN="eu") == "SEGMENT_REGOIN: is not a setting; did you mean SEGMENT_REGION?"
    environment.env_file.write_text("SELIGENT_EXPORTS=/srv\n", "utf-8")
    assert "SELIGENT_EXPORTS: is not a setting; did you mean SELLIGENT_EXPORTS?" in environment.refusal()


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
        "SEGMENT_INTEGRATIONS: contains an empty name; use a list such as Amplitude, Google Analytics 4"
    )
