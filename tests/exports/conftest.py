from tests.support.loading_fixtures import (
    clicks,
    connection,
    desk,
    lake_without_rows,
    plain_desk,
    plain_file_without_rows,
    read,
    read_into_lake,
    watched,
)

__all__ = [
    "clicks",
    "connection",
    "desk",
    "lake_without_rows",
    "plain_desk",
    "plain_file_without_rows",
    "read",
    "read_into_lake",
    "watched",
]
