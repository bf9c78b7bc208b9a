"""People who were listed before the handling count as handled, and no others, whatever the clocks show."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from pipeline.models.run_span import suppressed_people
from pipeline.privacy.digests import LISTED
from pipeline.privacy.suppression import any_newly_suppressed, learn_contacts, listings, mark, refresh
from tests.support.export_folder import NOW
from tests.support.warehouses import plain_file_in

BACK = NOW - timedelta(hours=2)
CONTACT = "SELECT '12' AS list_id, '7' AS selligent_user_id, 'zoe' AS user_id, CAST(NULL AS VARCHAR) AS email"


class Listing:
    """A list, and what a warehouse keeps of it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, file: Path) -> None:
        self.connection = connection
        self._file = file

    def suppress(self, *user_ids: str, at: timedelta = timedelta(0)) -> None:
        """Read the list, on a machine whose clock is so far ahead."""
        self._file.write_text("\n".join(["user_id", *user_ids]), "utf-8")
        refresh(self.connection, str(self._file), NOW + at)

    def dealt_with(self) -> set[str]:
        """User ids of whom the event tables are rid, by what is noted."""
        found = self.connection.execute(
            f"SELECT value FROM {LISTED} JOIN raw.suppressed AS known USING (kind, digest) "
            "WHERE modelled_at IS NOT NULL"
        )
        return {value for (value,) in found.fetchall()}


@pytest.fixture
def listing(tmp_path: Path) -> Iterator[Listing]:
    with plain_file_in(tmp_path).writing() as connection:
        yield Listing(connection, tmp_path / "suppressed.csv")


@pytest.mark.parametrize("mark_of", ["modelled_at", "withdrawn_at"])
def test_people_listed_by_a_clock_that_is_ahead_are_processed(listing: Listing, mark_of: str) -> None:
    listing.suppress("zoe", at=timedelta(days=40_000))
    assert any_newly_suppressed(listing.connection, mark_of)
    mark(listing.connection, mark_of, listings(listing.connection, mark_of))
    assert not any_newly_suppressed(listing.connection, mark_of)


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=-2)], ids=["at once", "after the clock was set back"])
def test_people_listed_during_processing_are_not_marked_as_processed(listing: Listing, later: timedelta) -> None:
    listing.suppress("zoe", "jef")
    begun = listings(listing.connection, "modelled_at")
    listing.suppress("zoe", "ann", at=later)
    listing.suppress("zoe", "ann", "jef", at=later)  # off the list, and on it again
    mark(listing.connection, "modelled_at", begun)
    assert listing.dealt_with() == {"zoe"}
    mark(listing.connection, "modelled_at", listings(listing.connection, "modelled_at"))
    assert listing.dealt_with() == {"zoe", "ann", "jef"}


def test_a_contact_that_a_lookup_adds_during_processing_is_not_marked_as_processed(listing: Listing) -> None:
    listing.suppress("zoe")
    begun = listings(listing.connection, "modelled_at")
    learn_contacts(listing.connection, CONTACT, BACK)
    mark(listing.connection, "modelled_at", begun)
    assert suppressed_people(listing.connection) == "new"
    mark(listing.connection, "modelled_at", listings(listing.connection, "modelled_at"))
    assert suppressed_people(listing.connection) == "known"


def test_a_contact_of_a_person_listed_again_during_processing_is_not_marked_as_processed(listing: Listing) -> None:
    listing.suppress("zoe", "jef")
    learn_contacts(listing.connection, CONTACT, NOW)
    begun = listings(listing.connection, "modelled_at")
    listing.suppress("jef", at=timedelta(hours=-2))
    listing.suppress("jef", "zoe", at=timedelta(hours=-2))
    mark(listing.connection, "modelled_at", begun)
    waiting = listing.connection.execute("SELECT kind FROM raw.suppressed WHERE modelled_at IS NULL ORDER BY kind")
    assert waiting.fetchall() == [("contact",), ("user_id",)]


def test_listings_of_an_earlier_version_have_no_name_and_are_processed(listing: Listing) -> None:
    listing.suppress("zoe")
    listing.connection.execute("UPDATE raw.suppressed SET listing = NULL")
    mark(listing.connection, "modelled_at", listings(listing.connection, "modelled_at"))
    assert listing.dealt_with() == {"zoe"}
