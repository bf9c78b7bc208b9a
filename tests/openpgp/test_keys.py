"""Key files and passphrases that can decrypt, and those that can't, with the reason."""

import sys
from pathlib import Path

import pytest
from pysequoia import Tsk

from pipeline.openpgp import KeyRefused, key_in, opened_key
from pipeline.openpgp.keys import _states
from pipeline.settings import PROJECT_ROOT
from tests.settings.environment import Environment
from tests.support.gnupg_samples import CURVE25519, EXPIRED, PASSPHRASE, ROTATED, RSA

PLAIN_KEY = str(Tsk.generate("Desk <desk@example.com>"))


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "key.asc"


@pytest.mark.parametrize(("key", "passphrase"), [(CURVE25519, PASSPHRASE), (RSA, PASSPHRASE), (ROTATED, None)])
@pytest.mark.parametrize("is_armored", [True, False], ids=["armored", "binary"])
def test_a_key_is_read(key_file: Path, key: str, passphrase: str | None, is_armored: bool) -> None:
    key_file.write_bytes(key.encode() if is_armored else bytes(Tsk.from_bytes(key.encode())))
    assert opened_key(key_in(key_file), passphrase).passphrase == passphrase


def test_a_passphrase_for_a_key_that_has_none_does_no_harm(key_file: Path) -> None:
    key_file.write_text(PLAIN_KEY)
    opened_key(key_in(key_file), "unneeded")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not an OpenPGP key; export the key with `gpg --export-secret-keys`"),
        (b"ID\n1\n", "is not an OpenPGP key"),
        (PLAIN_KEY.encode()[:300], "is not an OpenPGP key"),
        (b"x" * 2_000_000, "is not an OpenPGP key"),
        (
            str(Tsk.from_bytes(PLAIN_KEY.encode()).extract_certificate()).encode(),
            "has a public key, which can't decrypt",
        ),
        (bytes(Tsk.from_bytes(PLAIN_KEY.encode()).extract_certificate()), "has no secret subkey for decryption"),
        (EXPIRED.encode(), "has no secret subkey for decryption that is valid now"),
    ],
    ids=["empty", "text", "cut", "large", "public", "public binary", "expired"],
)
def test_what_is_no_secret_key_is_refused(key_file: Path, content: bytes, words: str) -> None:
    key_file.write_bytes(content)
    with pytest.raises(KeyRefused) as refused:
        key_in(key_file)
    assert str(refused.value).startswith(f"{key_file} {words}")


def test_a_key_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match=f"^there is no file {tmp_path}/none$"):
        key_in(tmp_path / "none")
    with pytest.raises(KeyRefused, match=f"^{tmp_path} can't be read \\(Is a directory\\)$"):
        key_in(tmp_path)


def test_the_key_is_no_part_of_what_is_shown(key_file: Path) -> None:
    key_file.write_text(CURVE25519)
    assert repr(opened_key(key_in(key_file), PASSPHRASE)) == "SecretKey()"


def test_settings_have_the_key(environment: Environment, key_file: Path) -> None:
    key_file.write_text(CURVE25519)
    settings = environment.load(SELLIGENT_PGP_KEY=str(key_file), SELLIGENT_PGP_PASSPHRASE=PASSPHRASE)
    assert settings.pgp_key is not None
    assert settings.pgp_key.content == CURVE25519.encode()
    assert PASSPHRASE not in f"{settings!r} {settings.model_dump()}"


def test_a_key_is_looked_for_in_the_folder_of_the_project(environment: Environment) -> None:
    assert environment.refusal(SELLIGENT_PGP_KEY="none.asc") == (
        f"SELLIGENT_PGP_KEY: there is no file {PROJECT_ROOT}/none.asc"
    )


@pytest.mark.parametrize(
    ("passphrase", "words"),
    [
        ("wrong-hunter2", "does not open the key of SELLIGENT_PGP_KEY; check it with `gpg --import`"),
        (PASSPHRASE + "x", "does not open the key of SELLIGENT_PGP_KEY; check it with `gpg --import`"),
        ("", "is missing, and a passphrase protects the key of SELLIGENT_PGP_KEY"),
    ],
)
def test_a_passphrase_that_does_not_open_the_key_is_a_fault_among_others(
    environment: Environment, key_file: Path, passphrase: str, words: str
) -> None:
    key_file.write_text(CURVE25519)
    refusal = environment.refusal(
        SELLIGENT_PGP_KEY=str(key_file), SELLIGENT_PGP_PASSPHRASE=passphrase, SEGMENT_CONNECTIONS="0"
    )
    assert refusal == f"SELLIGENT_PGP_PASSPHRASE: {words}; SEGMENT_CONNECTIONS: '0' is below 1"


def test_a_passphrase_without_a_key_is_a_fault(environment: Environment) -> None:
    assert environment.refusal(SELLIGENT_PGP_PASSPHRASE="hunter2") == (
        "SELLIGENT_PGP_PASSPHRASE: is set, and SELLIGENT_PGP_KEY is missing; set it to the key that it opens"
    )


def test_a_missing_package_is_named(environment: Environment, key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file.write_text(CURVE25519)
    _states.cache_clear()
    monkeypatch.setitem(sys.modules, "pipeline.openpgp.process", None)
    assert environment.refusal(SELLIGENT_PGP_KEY=str(key_file)) == (
        "SELLIGENT_PGP_KEY: a key needs packages that are not installed: "
        "`.venv/bin/python -m pip install -c constraints.txt -e '.[pgp]'` beside pyproject.toml"
    )
