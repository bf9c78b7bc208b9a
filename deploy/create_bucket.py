"""Create the buckets that the settings name, where they don't exist: those of WAREHOUSE_FILES and REPORT.

For an S3 server of one's own, as in `compose.yaml`. Server and credentials are those of the environment.
"""

import os
from urllib.parse import urlsplit

from s3fs import S3FileSystem

from pipeline.settings import load_settings


def main() -> None:
    """Create what is missing; a bucket that exists is left as it is."""
    settings = load_settings()
    places = [urlsplit(place) for place in (settings.warehouse_files, settings.report)]
    region = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
    files = S3FileSystem()
    for bucket in sorted({place.netloc for place in places if place.scheme == "s3"}):
        if not files.exists(bucket):
            # The first region is the default, and S3 refuses it as an explicit one.
            files.mkdir(bucket, region_name=None if region == "us-east-1" else region)


if __name__ == "__main__":
    main()
