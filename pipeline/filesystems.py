"""Files that lie elsewhere, reached through fsspec."""

from typing import Any

import fsspec
from fsspec.core import url_to_fs

from pipeline.errors import SettingsError
from pipeline.extras import missing

# Which of this project's extras brings a file system.
_EXTRAS = {"sftp": "sftp", "ssh": "sftp", "s3": "s3", "s3a": "s3", "abfs": "azure", "abfss": "azure", "az": "azure"}
# What went wrong, where a person can put it right and the name of the error alone does not say how.
_REMEDIES = {
    "HostKeyNotVerifiable": "the server's key is not the one in ~/.ssh/known_hosts, or none is there; compare it with "
    "what the server's owner says, and add it by `ssh-keyscan`",
    "PermissionError": "the login was refused, or the folder is closed to it",
    "FileNotFoundError": "there is nothing of that name",
    "NoCredentialsError": "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role",
}

for _scheme in ("sftp", "ssh"):
    fsspec.register_implementation(_scheme, "pipeline.sftp.CarefulSFTP", clobber=True)


def open_filesystem(url: str, setting: str) -> tuple[Any, str]:
    """The file system of a URL or a local path, and the path in it.

    It is connected anew each time. fsspec would keep it, with its connection and its listings, for as long as the
    process lives: a sensor would see no new object in S3, and no server again that was restarted.

    Raises:
        SettingsError: its packages are not installed; `setting` is what the URL came from.
        Exception: each file system has errors of its own; `words_of` tells them without secrets.
    """
    try:
        filesystem, path = url_to_fs(url, skip_instance_cache=True)
    except ImportError:
        scheme = scheme_of(url)
        if extra := _EXTRAS.get(scheme):
            raise SettingsError(missing(setting, f"{scheme}://", extra)) from None
        raise SettingsError(f"{setting}: {scheme}:// needs an fsspec implementation that is not installed") from None
    return filesystem, str(path)


def scheme_of(url: str) -> str:
    """What stands before `://`."""
    return url.partition("://")[0]


def words_of(error: Exception) -> str:
    """What an error of a file system means; its own words can hold a password."""
    name = type(error).__name__
    return f"{name}: {_REMEDIES[name]}" if name in _REMEDIES else f"{name}; check the URL, host, path and credentials"
