"""Remote files, accessed through fsspec."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import fsspec
from fsspec.core import url_to_fs

from pipeline.errors import SettingsError, missing_packages
from pipeline.filesystems.remote_errors import RemoteFault

# The extra of this project that installs a file system, by scheme.
_EXTRAS = {"sftp": "sftp", "ssh": "sftp", "s3": "s3", "s3a": "s3", "abfs": "azure", "abfss": "azure", "az": "azure"}
# Object stores have no folders but prefixes: one without objects counts as an empty folder.
_WITHOUT_FOLDERS = {scheme for scheme, extra in _EXTRAS.items() if extra != "sftp"}
_WITH_FOLDERS = ("sftp", "ssh", "ftp", "ftps")
# Explanations of errors whose name alone does not say how to fix them.
_REMEDIES = {
    "HostKeyNotVerifiable": "the server's key is missing in ~/.ssh/known_hosts, or differs from it; compare it with "
    "the one that the server's owner published, and add it with `ssh-keyscan`",
    "PermissionError": "the login was refused, or it has no access to the file or folder",
    "SFTPPermissionDenied": "the login has no access to the file or folder",
    "SSLCertVerificationError": "the server's certificate is not trusted, has expired, or is for another host name; if "
    "a certificate authority of your own signed it, set SSL_CERT_FILE to a file with that authority's certificate",
    "error_perm": "the login was refused, or it has no access to the file or folder",
    "error_temp": "the server is busy, or allows no further connection of this user",
    "EOFError": "the server closed the connection",
    "FileNotFoundError": "no file or folder has that name",
    "NoCredentialsError": "there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role",
}

for _scheme in ("sftp", "ssh"):
    fsspec.register_implementation(_scheme, "pipeline.filesystems.sftp.CarefulSFTP", clobber=True)
for _scheme in ("ftp", "ftps"):
    fsspec.register_implementation(_scheme, "pipeline.filesystems.ftp.CarefulFTP", clobber=True)


def open_filesystem(url: str, setting: str) -> tuple[Any, str]:
    """The file system of a URL or a local path, and the path in it; close it with `close`.

    fsspec caches file systems and their listings for the life of the process, so that a sensor would see no new object
    in S3: listings are dropped here. SFTP connects each time.

    Raises:
        SettingsError: its packages are not installed; `setting` is the URL's setting.
        Exception: each file system has errors of its own; `words_of` describes them without secrets.
    """
    try:
        filesystem, path = url_to_fs(url)
    except ImportError:
        raise _not_installed(url, setting) from None
    filesystem.invalidate_cache()
    return filesystem, str(path)


def require_packages(url: str, setting: str) -> None:
    """Raise SettingsError if the packages for a URL are not installed; it does not connect."""
    try:
        fsspec.get_filesystem_class(scheme_of(url) or "file")
    except ImportError:
        raise _not_installed(url, setting) from None


def _not_installed(url: str, setting: str) -> SettingsError:
    scheme = scheme_of(url)
    if extra := _EXTRAS.get(scheme):
        return SettingsError(missing_packages(setting, f"{scheme}://", extra))
    return SettingsError(f"{setting}: {scheme}:// needs an fsspec implementation that is not installed")


def close(filesystem: Any) -> None:
    """Close its connection, where it has one: a server may allow a user only a few."""
    if hasattr(filesystem, "close"):
        filesystem.close()


@contextmanager
def opened(url: str, setting: str) -> Iterator[Any]:
    """One file of a URL, open for reading; raises as `open_filesystem` does."""
    filesystem, path = open_filesystem(url, setting)
    try:
        with filesystem.open(path, "rb") as file:
            yield file
    finally:
        close(filesystem)


def has_folders(scheme: str) -> bool:
    """Whether there are true folders, listed one by one, with permissions and links: those of SFTP and FTP are."""
    return scheme in _WITH_FOLDERS


def require_location(filesystem: Any, path: str, scheme: str) -> None:
    """Raise FileNotFoundError for an empty location without a folder, or a bucket, of that name."""
    if scheme not in _WITHOUT_FOLDERS:
        filesystem.ls(path)
    elif not filesystem.exists(path.partition("/")[0]):
        raise FileNotFoundError


def warning_of(url: str) -> str | None:
    """What is not safe about a URL, if anything."""
    if scheme_of(url) == "ftp":
        return "ftp:// is not encrypted: the password and the files can be read on their way; use ftps://"
    return None


def scheme_of(url: str) -> str:
    """The scheme of a URL; empty for a local path."""
    return url.partition("://")[0] if "://" in url else ""


def without_login(url: str) -> str:
    """A URL without its login, or a path unchanged."""
    if not scheme_of(url):
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def words_of(error: Exception) -> str:
    """A description of a file system's error, whose own message can contain a password."""
    if isinstance(error, RemoteFault):
        return str(error)
    name = type(error).__name__
    return f"{name}: {_REMEDIES[name]}" if name in _REMEDIES else f"{name}; check the URL, host, path and credentials"
