"""Checks of a setting that names a folder or a URL to write to."""

from pathlib import Path
from urllib.parse import urlsplit

from pipeline.settings.value_checks import fault

_EXAMPLE = "s3://bucket/prefix"


def check_folder(value: str, root: Path) -> str:
    """A folder to write to as an absolute path, relative to `root`, or a URL of a protocol that fsspec has."""
    path = value.removeprefix("file://")
    if "://" not in path:
        return _folder(root / path)
    try:
        url = urlsplit(value)
        host, _port = url.hostname, url.port
    except ValueError:
        raise fault(f"is not a URL such as {_EXAMPLE}") from None
    # Imported here: most installations have no URL to write to.
    from fsspec.registry import known_implementations

    if url.scheme not in {*known_implementations, "ftps"}:
        raise fault(f"{url.scheme}:// is not a known protocol; use s3://, sftp://, ftps://, abfs:// or a folder")
    if not host:
        raise fault(f"names no {'bucket' if url.scheme in ('s3', 's3a') else 'host'}; use a URL such as {_EXAMPLE}")
    return value


def _folder(path: Path) -> str:
    existing = next(each for each in (path, *path.parents) if each.exists())
    if not existing.is_dir():
        raise fault(f"{existing} is a file; name a folder")
    return str(path)
