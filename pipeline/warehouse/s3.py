"""S3 for DuckDB: Amazon's or a compatible server, configured like AWS's own tools.

Credentials are found as by those tools: in AWS_ACCESS_KEY_ID and the like, in `~/.aws`, or by the machine's role. No
statement contains them.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipeline.errors import SettingsError
from pipeline.warehouse.sql import literal

EXTENSIONS = ("httpfs", "aws")
# The more specific one wins, as in AWS's tools.
_ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclass(frozen=True)
class S3Server:
    """The server, and whether a bucket's name is part of the path or of the host's name."""

    endpoint: str = "s3.amazonaws.com"
    use_ssl: bool = True
    url_style: str = "vhost"

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "S3Server":
        """The server that the environment names, else Amazon's. Raises SettingsError: it names no URL."""
        variable = next((name for name in _ENDPOINT_VARIABLES if environment.get(name)), None)
        if variable is None:
            return cls()
        url = urlsplit(environment[variable])
        if url.scheme not in ("http", "https") or not url.netloc:
            raise SettingsError(f"{variable}: is not a URL; it looks like https://s3.example.com")
        # Few other servers have a host name per bucket.
        return cls(url.netloc + url.path.rstrip("/"), url.scheme != "http", "path")

    @property
    def secret(self) -> str:
        """The statement that lets a DuckDB connection reach it."""
        return (
            f"CREATE SECRET IF NOT EXISTS warehouse_files (TYPE s3, PROVIDER credential_chain, "
            f"ENDPOINT {literal(self.endpoint)}, USE_SSL {str(self.use_ssl).lower()}, URL_STYLE '{self.url_style}')"
        )
