"""The secret key of SELLIGENT_PGP_KEY, and whether SELLIGENT_PGP_PASSPHRASE opens it."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pipeline.errors import PipelineError, missing_packages
from pipeline.openpgp.states import KeyState

# A key with a dozen subkeys and a hundred signatures has less.
_MOST_KEY_BYTES = 1 << 20
_PUBLIC = b"-----BEGIN PGP PUBLIC KEY BLOCK"
_EXPORT = "export the key with `gpg --export-secret-keys`"
_SETTING = "SELLIGENT_PGP_KEY"


class KeyRefused(PipelineError):
    """A key file, or a passphrase, that can't decrypt anything; its message goes with the name of a setting."""


@dataclass(frozen=True)
class SecretKey:
    """A secret key as it is in its file, and the passphrase that protects it."""

    content: bytes = field(repr=False)
    passphrase: str | None = field(repr=False)


def key_in(path: Path) -> bytes:
    """The content of a key file. Raises KeyRefused: it can't be read, or has no secret key for decryption."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_KEY_BYTES + 1)
    except FileNotFoundError:
        raise KeyRefused(f"there is no file {path}") from None
    except OSError as error:
        raise KeyRefused(f"{path} can't be read ({error.strerror})") from None
    if _PUBLIC in content:
        raise KeyRefused(f"{path} has a public key, which can't decrypt; {_EXPORT}")
    if (states := _states(content, None)) is None:
        raise KeyRefused(f"{path} is not an OpenPGP key; {_EXPORT}")
    if set(states) <= {KeyState.NOT_FOR_DECRYPTION}:
        raise KeyRefused(
            f"{path} has no secret subkey for decryption that is valid now; {_EXPORT}, and if it has expired, extend "
            "it before"
        )
    return content


def opened_key(content: bytes, passphrase: str | None) -> SecretKey:
    """The key of a file that `key_in` has read. Raises KeyRefused: the passphrase does not open it, or is missing."""
    states = _states(content, passphrase) or ()
    if KeyState.OPEN not in states:
        if KeyState.WRONG_PASSPHRASE in states:
            raise KeyRefused("does not open the key of SELLIGENT_PGP_KEY; check it with `gpg --import`")
        raise KeyRefused("is missing, and a passphrase protects the key of SELLIGENT_PGP_KEY")
    return SecretKey(content, passphrase)


@lru_cache(maxsize=16)  # to open a key takes half a second, on purpose
def _states(content: bytes, passphrase: str | None) -> tuple[KeyState, ...] | None:
    """The states of the keys in a file, up to the first open one; None if it has none."""
    if len(content) > _MOST_KEY_BYTES:
        return None
    try:
        from pipeline.openpgp.process import decryptor, keys_in
    except ImportError:
        raise KeyRefused(missing_packages(_SETTING, "a key", "pgp").removeprefix(f"{_SETTING}: ")) from None
    try:
        keys = keys_in(content)
    except (RuntimeError, IndexError):  # the first is pysequoia's
        return None
    if not keys:
        return None
    states: list[KeyState] = []
    for key in keys:
        opened = decryptor(key, passphrase)
        if not isinstance(opened, KeyState):
            return (*states, KeyState.OPEN)
        states.append(opened)
    return tuple(states)
