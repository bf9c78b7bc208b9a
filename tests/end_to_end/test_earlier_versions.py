"""A warehouse and a ledger of an earlier commit continue to work: nothing is sent twice, nothing is left out.

`tests/earlier_versions` has the stores that each commit named in the changelog made from the same exports, with layouts
and exports: 2024-06-11 was delivered except for a dead event; 2024-06-12 was a dry run; 2024-06-13 is withheld.
"""

import os
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from pipeline.settings import PROJECT_ROOT
from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import log
from tests.fakes.segment_server import SegmentServer

STORES = PROJECT_ROOT / "tests" / "earlier_versions"


def mails(segment: SegmentServer) -> Counter[str]:
    return Counter(message["properties"]["email_id"] for message in segment.messages.values())


@pytest.mark.stores("sqlite")
@pytest.mark.parametrize("store", sorted(path.stem for path in STORES.glob("*.zip")))
def test_what_an_earlier_commit_made_goes_on(delivering: Project, segment: SegmentServer, store: str) -> None:
    project = delivering
    with zipfile.ZipFile(STORES / f"{store}.zip") as made:
        made.extractall(project.folder)
        for member in made.infolist():  # a restored file has its time
            path = project.folder / member.filename
            os.utime(path, (1_718_000_000, 1_718_000_000))
    words = "an earlier version of this program created it; `python -m pipeline run` migrates it"
    assert words in project.command("status").stderr

    project.with_files({"log_20240614.csv": log(["ann,m4,c1,SENT,,2024-06-13T08:00:00Z"])}, {})
    project.run()
    assert mails(segment) == {"m2": 2, "m4": 1}
    project.run("--release")
    assert mails(segment) == {"m2": 2, "m3": 1, "m4": 1}
    assert not segment.duplicates
    everything = project.command("status").stdout.splitlines()[-1].split()
    assert everything == ["all", "8", "1", "8", "7", "0", "1", "0"]


def test_each_of_them_is_named_in_the_changelog() -> None:
    changelog = Path(PROJECT_ROOT / "CHANGELOG.md").read_text("utf-8")
    assert [path.stem for path in STORES.glob("*.zip") if path.stem not in changelog] == []
