"""The decrypted content of a file as a stream, whose end is reached only if its integrity is verified."""

import io
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

from pipeline.errors import FileRefused, FileUnreadable
from pipeline.openpgp.keys import SecretKey
from pipeline.openpgp.states import Failure

_PROGRAM = "pipeline.openpgp.process"
# Of the package, wherever the command was started.
_ROOT = Path(__file__).parents[2]
_CHUNK_BYTES = 1 << 20
_OTHER_KEY = (
    "is encrypted for another key than that of SELLIGENT_PGP_KEY, or with a password; set the key that it is encrypted "
    "for, or have it encrypted for this one"
)
_REFUSALS = {
    Failure.OUTDATED: "is encrypted by a method that is no longer secure; have it encrypted with AES",
    Failure.MALFORMED: "is damaged, or encrypted by a method that is not supported (GnuPG's OCB, bzip2); have it sent "
    "again, encrypted with `gpg --rfc4880 --compress-algo zip`",
    Failure.DAMAGED: "is cut off or damaged, so it can't be decrypted; have it sent again",
}


def decrypted_stream(path: Path, key: SecretKey) -> IO[bytes]:
    """Decrypt a file, armored or binary, signed or not; signatures are not verified.

    Whoever reads the stream must discard what was read if it raises, at its end or before:

    Raises:
        FileRefused: it is not whole, not as it was encrypted, or not an encrypted message.
        FileUnreadable: it is not encrypted for this key, or the process was killed.
    """
    return io.BufferedReader(_Decrypted(path, key), buffer_size=_CHUNK_BYTES)


class _Decrypted(io.RawIOBase):
    def __init__(self, path: Path, key: SecretKey) -> None:
        # A session of its own: Ctrl-C ends this process, which then ends that one.
        self._process = subprocess.Popen(  # noqa: S603 - a program of our own
            [sys.executable, "-m", _PROGRAM, path.absolute()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=_ROOT,
            env={**os.environ, "RUST_BACKTRACE": "0"},
            start_new_session=True,
        )
        try:
            self._send(b"%d\n%b%b" % (len(key.content), key.content, (key.passphrase or "").encode()))
        except BaseException:
            self.close()
            raise

    def _send(self, content: bytes) -> None:
        assert self._process.stdin is not None
        try:
            with self._process.stdin as target:
                target.write(content)
        except BrokenPipeError:  # it ended before; its exit status shows why
            return

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        assert self._process.stdout is not None
        chunk = os.read(self._process.stdout.fileno(), len(buffer))
        if not chunk:
            self._ensure_verified()
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def _ensure_verified(self) -> None:
        assert self._process.stderr is not None
        failure = self._process.stderr.read().decode("utf-8", "replace")
        if self._process.wait() == 0:
            return
        if failure == Failure.OTHER_KEY:
            raise FileUnreadable(_OTHER_KEY)
        if failure in set(Failure):
            raise FileRefused(_REFUSALS[Failure(failure)])
        raise FileUnreadable(
            f"can't be decrypted: the process for it ended with status {self._process.returncode}; the next run tries "
            "again"
        )

    def close(self) -> None:
        if not self.closed:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                if pipe is not None:
                    pipe.close()
        super().close()
