from tests.support.loading_fixtures import connection, lake_without_rows, plain_desk, plain_file_without_rows
from tests.support.loading_fixtures import desk as desk_in_lake

__all__ = ["connection", "desk_in_lake", "lake_without_rows", "plain_desk", "plain_file_without_rows"]
