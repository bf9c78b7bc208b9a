"""OpenPGP: the secret key of the settings, and the decryption of files with it."""

from pipeline.openpgp.decryption import decrypted_stream
from pipeline.openpgp.keys import KeyRefused, SecretKey, key_in, opened_key

__all__ = ["KeyRefused", "SecretKey", "decrypted_stream", "key_in", "opened_key"]
