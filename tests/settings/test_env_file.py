"""A line of `.env` that is not a setting stops everything: passed over, it would leave a default that is wrong."""

import logging

import pytest

from tests.settings.environment import SECRET, Environment

WORDS = "can't be parsed; write a setting as NAME=value, and close every quote"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("SEGMENT_REGION: eu\n", "1"),
        ("# Ours\nSEGMENT_CONNECTIONS=2\n\nSEGMENT_REGION: eu\n", "4"),
        (f'SEGMENT_REGION=eu\nSEGMENT_WRITE_KEY="{SECRET}\n', "2"),
        ("this is not a setting\n\n \n=eu\n", "1, 4"),
        (f"\r\n{SECRET} SEGMENT_REGION=eu\r\n", "2"),
    ],
)
def test_a_line_that_is_no_setting_is_named_and_not_repeated(
    environment: Environment, text: str, lines: str, caplog: pytest.LogCaptureFixture
) -> None:
    environment.env_file.write_bytes(text.encode())
    with caplog.at_level(logging.WARNING):
        assert environment.refusal() == f"{environment.env_file.name}: line {lines} {WORDS}"
    assert caplog.text == ""


@pytest.mark.parametrize(
    "text",
    [
        "SEGMENT_REGION=eu\n",
        "\n# the region\nexport SEGMENT_REGION = 'eu'  # Dublin",
        'SEGMENT_REGION="eu"\r\nSEGMENT_ANONYMOUS_ID=\r\n',
        "SEGMENT_SOURCE_ID\nSEGMENT_REGION=eu",
    ],
)
def test_whatever_dotenv_reads_is_read(environment: Environment, text: str) -> None:
    environment.env_file.write_bytes(text.encode())
    assert environment.load().segment_region == "eu"


def test_a_file_that_is_not_there_sets_nothing(environment: Environment) -> None:
    environment.env_file.unlink(missing_ok=True)
    assert environment.load().segment_region == "us"
