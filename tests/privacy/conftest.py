from tests.support.loading_fixtures import connection, desk, lake_without_rows

__all__ = ["connection", "desk", "lake_without_rows"]
