"""What `process` reports of a key and of a file, for those who can't import it: it needs pysequoia."""

from enum import StrEnum


class KeyState(StrEnum):
    """Whether a key can decrypt, or why not."""

    OPEN = "open"
    NOT_FOR_DECRYPTION = "not for decryption"
    PROTECTED = "protected"
    WRONG_PASSPHRASE = "wrong passphrase"  # noqa: S105


class Failure(StrEnum):
    """Why a file can't be decrypted."""

    OTHER_KEY = "other key"
    OUTDATED = "outdated"
    MALFORMED = "malformed"
    DAMAGED = "damaged"
