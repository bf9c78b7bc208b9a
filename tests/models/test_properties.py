"""What dbt reads of the tables is what the catalog and the warehouse say of them."""

import pytest

from pipeline.models import properties


@pytest.mark.parametrize(
    ("path", "content"),
    [(properties.SEGMENT, properties.segment_yml()), (properties.SOURCES, properties.sources_yml())],
    ids=["event tables", "raw tables"],
)
def test_the_files_in_the_project_are_up_to_date(path, content: str) -> None:  # type: ignore[no-untyped-def]
    assert path.read_text("utf-8") == content, "run `python -m pipeline.models.properties`"
