"""`python -m pipeline.openpgp.process FILE`: decrypt a file to stdout, with the key and its passphrase on stdin.

A process of its own, because pysequoia writes to files only, and holds Python's lock until it is done: a thread would
stop all others.
"""

import re
import sys

from pysequoia import PyDecryptor, Tsk, decrypt_file
from pysequoia.packet import Packet, PacketPile, Tag

from pipeline.openpgp.states import Failure, KeyState

_ARMORED_KEYS = re.compile(rb"-----BEGIN PGP P.+?-----END PGP P[^\n]+", re.DOTALL)
_PRIMARY_KEYS, _SUBKEYS = (Tag.SecretKey, Tag.PublicKey), (Tag.SecretSubkey, Tag.PublicSubkey)
# The beginnings of pysequoia's messages, which are its only sign of what went wrong.
_PROTECTED = "secret key material is encrypted"
_NOT_FOR_THIS_KEY = "No key to decrypt message"
_REJECTED = "Policy rejected"
_MALFORMED = "Malformed Message"


def keys_in(content: bytes) -> list[Tsk]:
    """The keys of a key file, armored or binary: one for each subkey, since pysequoia uses only one of each key.

    Raises:
        Exception: it has no keys; pysequoia has no errors of its own.
    """
    keys: list[list[list[Packet]]] = []
    for block in _ARMORED_KEYS.findall(content) or [content]:
        for packet in PacketPile.from_bytes(block):
            if packet.tag in _PRIMARY_KEYS:
                keys.append([[packet]])
            elif packet.tag in _SUBKEYS:
                keys[-1].append([packet])
            else:
                keys[-1][-1].append(packet)
    return [Tsk.from_packets(primary + subkey) for primary, *subkeys in keys for subkey in ([], *subkeys)]


def decryptor(key: Tsk, passphrase: str | None) -> PyDecryptor | KeyState:
    """What `decrypt_file` takes as a key, or why there is none: a state other than OPEN."""
    try:
        return key.decryptor()
    except RuntimeError as error:
        if _PROTECTED not in str(error):
            return KeyState.NOT_FOR_DECRYPTION
    if passphrase is None:
        return KeyState.PROTECTED
    try:
        return key.decryptor(passphrase)
    except RuntimeError:
        return KeyState.WRONG_PASSPHRASE


def _failure(error: Exception) -> Failure:
    words = str(error)
    if words.startswith(_REJECTED):
        return Failure.OUTDATED
    return Failure.MALFORMED if words.startswith(_MALFORMED) else Failure.DAMAGED


def _decrypt(file: str, content: bytes, passphrase: str | None) -> Failure | None:
    """Try one key after another. A wrong one fails before anything is written."""
    failure = Failure.OTHER_KEY
    for key in keys_in(content):
        opened = decryptor(key, passphrase)
        if isinstance(opened, KeyState):
            continue
        try:
            decrypt_file(file, "/dev/fd/1", decryptor=opened)
        except (RuntimeError, OSError) as error:
            if not str(error).startswith(_NOT_FOR_THIS_KEY):
                failure = _failure(error)
        else:
            return None
    return failure


def main() -> int:
    """Exit status 0 only if the whole file was decrypted and its integrity is verified; else stderr has the failure."""
    size = int(sys.stdin.buffer.readline())
    content = sys.stdin.buffer.read(size)
    passphrase = sys.stdin.buffer.read().decode()
    failure = _decrypt(sys.argv[1], content, passphrase or None)
    if failure is not None:
        sys.stderr.write(failure)
    return 0 if failure is None else 1


if __name__ == "__main__":
    sys.exit(main())
