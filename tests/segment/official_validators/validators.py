"""Segment's own validators and reader, in JavaScript: installed once, then called for many messages at a time."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.support.needed import is_lacking

HERE = Path(__file__).parent
PACKAGES = HERE / "package.json"
INSTALLED = HERE / "node_modules"
# A lock file would record where packages were downloaded from; `package.json` has every version already.
INSTALL = (
    "npm",
    "install",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    "--no-package-lock",
    "--no-update-notifier",
    "--prefer-offline",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
)


@dataclass(frozen=True)
class Verdict:
    """The error of each validator, and what the reader reads from a message without an error."""

    loosely: str | None
    core: str | None
    read: Mapping[str, Any] | None

    @property
    def refusals(self) -> tuple[str | None, str | None]:
        return self.loosely, self.core


class Validators:
    """`@segment/loosely-validate-event`, `@segment/analytics-core` and, as a reader, `@segment/facade`."""

    def validate(self, messages: Sequence[str]) -> list[Verdict]:
        """Validate messages (JSON texts) in one process."""
        done = subprocess.run(
            ["node", HERE / "validate.js"],
            input="".join(f"{message}\n" for message in messages),
            capture_output=True,
            encoding="utf-8",
            # Far from UTC, so that a time without its zone is another moment.
            env={**os.environ, "TZ": "Asia/Kolkata"},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        verdicts = [Verdict(**json.loads(line)) for line in done.stdout.split("\n") if line]
        assert len(verdicts) == len(messages)
        return verdicts


def install_validators() -> Validators:
    """Install the packages, once for all test processes."""
    for program in ("npm", "node"):
        if shutil.which(program) is None:
            is_lacking(f"the validators did not run: {program} is not installed")
    INSTALLED.mkdir(exist_ok=True)
    # Tests run in several processes, and the first one installs.
    with FileLock(INSTALLED / ".installing"):
        done = INSTALLED / ".installed"
        if not done.exists() or done.read_bytes() != PACKAGES.read_bytes():
            installed = subprocess.run(INSTALL, cwd=HERE, capture_output=True, encoding="utf-8", check=False)
            if installed.returncode != 0:
                first = next(iter(installed.stderr.splitlines()), "")
                is_lacking(f"the validators did not run: npm could not install them: {first}")
            shutil.copyfile(PACKAGES, done)
    return Validators()
