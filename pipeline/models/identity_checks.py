"""The check of identities: every contact with a user id is identified by what its newest lookup says."""

import dagster as dg
import duckdb

from pipeline.catalog import LOOKUPS
from pipeline.export_dates import ExportDates
from pipeline.finding import Finding, counted
from pipeline.models.newest_lookups import lookup_rows, newest_lookups
from pipeline.orchestration.asset_checks import Check
from pipeline.orchestration.asset_keys import IDENTITIES
from pipeline.orchestration.partitions import WAREHOUSE_READERS, dates_of_run
from pipeline.orchestration.resources import WarehouseResource
from pipeline.settings import load_settings
from pipeline.warehouse import one_row

CONTACTS_ARE_IDENTIFIED = Check(
    "every_contact_is_identified",
    IDENTITIES,
    "Contacts whose newest lookup is of these dates = identified ones + those without a user id.",
)
_KEY, _VALUES = LOOKUPS["contacts"].key, LOOKUPS["contacts"].values
_CONTACTS = f"""
    WITH contacts AS (
        FROM ({newest_lookups("contacts", f"({lookup_rows('contacts', 'export_date >= $1')})")}) WHERE export_date <= $2
    ),
    identities AS (
        FROM staging.identities QUALIFY row_number() OVER (PARTITION BY {", ".join(_KEY)} ORDER BY revision DESC) = 1
    )
    SELECT count(*), count(contacts.user_id), count(*) FILTER (
        row({", ".join(f"contacts.{name}" for name in _VALUES)})
        IS NOT DISTINCT FROM row({", ".join(f"identities.{name}" for name in _VALUES)})
        AND contacts.user_id IS NOT NULL
    )
    FROM contacts LEFT JOIN identities USING ({", ".join(_KEY)})
"""


def contacts_are_identified(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Compare the contacts whose newest lookup is of these dates with the current identities."""
    contacts, with_user_id, identified = one_row(connection, _CONTACTS, [dates.first, dates.last])
    unidentified = contacts - with_user_id
    numbers = {"contacts": contacts, "identified": identified, "without_user_id": unidentified}
    words = f"{identified:,} identified + {unidentified:,} without a user id"
    if identified == with_user_id:
        return Finding(True, f"{counted(contacts, 'contact')} = {words}.", numbers)
    return Finding(
        False,
        f"The lookups have {counted(contacts, 'contact')}, but {words}. Run these dates again "
        f"(`python -m pipeline run --from {dates.first} --to {dates.last}`) to identify the others.",
        numbers,
        grave=True,
    )


@dg.multi_asset_check(
    name="staging__identities__checks",
    specs=[CONTACTS_ARE_IDENTIFIED.spec],
    pool=WAREHOUSE_READERS,
)
def _identity_check(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> dg.AssetCheckResult:
    """Compare the contacts of these dates with the identities."""
    with warehouse.open().reading() as connection:
        found = contacts_are_identified(connection, dates_of_run(context.run.tags))
    return CONTACTS_ARE_IDENTIFIED.result(found)


identity_checks = [_identity_check] if load_settings().segment_identify else []
