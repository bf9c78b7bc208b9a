"""A warehouse as dbt leaves it; the fixtures are those of what comes after it."""

from tests.support.delivery_fixtures import lake, plain, plain_warehouse, warehouse, without_rows

__all__ = ["lake", "plain", "plain_warehouse", "warehouse", "without_rows"]
