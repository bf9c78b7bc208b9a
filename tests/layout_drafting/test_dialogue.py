"""`inspect --write`: what is open is asked with proposals, and the answers are in the layout."""

import os
import pty
import select
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from pipeline.exports.layout_files import read_layout
from pipeline.exports.layouts import Layout
from pipeline.layout_drafting.dialogue import answered
from pipeline.layout_drafting.draft import draft
from pipeline.layout_drafting.inspection import inspected
from pipeline.settings import Settings
from tests.layout_drafting.drafting import lines
from tests.layout_drafting.test_inspect_command import inspected as inspect_command
from tests.layout_drafting.unknown_exports import AMERICAN, CONTACTS, OPAQUE, SEND_LOG, UnknownExport

Asked = tuple[Layout, str]


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Asked]:
    """Inspects a file, gives the answers line by line, and returns the layout with what was printed."""

    def of(name: str, content: bytes | str, *answers: str, layouts: str = "") -> Asked:
        path, folder = tmp_path / name, tmp_path / "layouts"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if layouts:
            folder.mkdir()
            (folder / "other.yml").write_text(layouts, "utf-8")
        with CliRunner().isolation(input="".join(f"{answer}\n" for answer in answers)) as (printed, *_):
            text = draft(answered(inspected(str(path)), folder))
            output = printed.getvalue().decode()
        (tmp_path / "drafted.yml").write_text(text, "utf-8")
        return read_layout(tmp_path / "drafted.yml"), output

    return of


def of(ask: Callable[..., Asked], export: UnknownExport, folder: Path, *answers: str) -> Asked:
    return ask(export.name, export.written_to(folder), *answers)


def test_proposals_are_taken_by_enter_and_codes_by_number(ask: Callable[..., Asked], tmp_path: Path) -> None:
    """The id of rows is confirmed, no column is changed, the state stays, and both codes are as proposed."""
    layout, printed = of(ask, SEND_LOG, tmp_path, "", "", "", "", "", "Europe/Brussels")
    assert layout == Layout.model_validate(SEND_LOG.final)
    assert "ID: an id of the event that each export of it repeats, and that no other event ever has" in " ".join(
        printed.split()
    )
    assert "send state 'sent': no bounce was reported so far" in printed
    assert "@" not in printed.replace("***@", "")


def test_whatever_is_no_answer_is_asked_again_with_what_would_be_right(
    ask: Callable[..., Asked], tmp_path: Path
) -> None:
    wrong = ["usr_id", "selligent_user_id", "lst", "liste_id", "list_id", "", "TQ", "TP", "9", "2", "3", "email", "5"]
    layout, printed = of(ask, OPAQUE, tmp_path, *wrong, "y", "Europe/Brusels", "Europe/Brussels")
    assert layout.columns == {"UID": "selligent_user_id", "LST": "list_id", "TS": "timestamp"}
    assert layout.event_codes == {"V": "Email Opened", "C": "Email Link Clicked", "B": "Email Bounced"}
    for reason in (
        "'usr_id' is not a meaning; did you mean 'user_id'?",
        "'liste_id' is not a meaning; did you mean 'list_id'?",
        "there is no column 'TQ'; it is one of -, DEV, TP",
        "'9' is not an event; it is one of Email Bounced, Email Delivered",
        "'Europe/Brusels' is not an IANA time zone; did you mean 'Europe/Brussels'?",
    ):
        assert reason in printed


def test_a_file_of_one_event_a_missing_meaning_and_the_order_of_a_date(ask: Callable[..., Asked]) -> None:
    content = lines("WHO;CUSTOMER_KEY;X", *(f"{n};;0{1 + n}/02/2024 09:15" for n in range(5)))
    other = "name: other\nfiles: x\nkind: events\ntimezone: Europe/Paris\nevent: Email Opened\n"
    other += "columns: {A: user_id, B: timestamp}\n"
    answers = ["customer_key", "-", "WHO", "", "", "", "n", ""]  # no user id, another one; then the proposals
    layout, printed = ask("clics.csv", content, *answers, layouts=other)
    assert layout.columns == {"WHO": "user_id", "X": "timestamp"}
    assert (layout.event, layout.timezone) == ("Email Link Clicked", "Europe/Paris")
    assert layout.datetime_formats == ["%m/%d/%Y %H:%M"]
    assert "No column identifies the person: user_id, email, or list_id with selligent_user_id. Which one" in printed


def test_a_lookup_asks_for_columns_only(ask: Callable[..., Asked], tmp_path: Path) -> None:
    layout, printed = of(ask, CONTACTS, tmp_path, "")
    assert layout.columns == CONTACTS.final["columns"]
    assert printed.count(": ?") == 0
    assert "zone" not in printed


def test_without_an_answer_nothing_is_written(ask: Callable[..., Asked], tmp_path: Path) -> None:
    with pytest.raises(click.Abort):
        of(ask, OPAQUE, tmp_path)
    assert not (tmp_path / "drafted.yml").exists()


def test_without_a_terminal_it_is_inspect(tmp_path: Path) -> None:
    path = tmp_path / OPAQUE.name
    path.write_bytes(OPAQUE.written_to(tmp_path))
    asked, drafted = inspect_command("--write", str(path)), inspect_command(str(path))
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, drafted.stdout, "")


def talk(arguments: Sequence[str], answers: Sequence[tuple[str, str]], environment: dict[str, str]) -> tuple[int, str]:
    """Run the command on a terminal of its own; each answer is typed when its question has been printed."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-m", "pipeline", *arguments], environment)
    printed, seen, left = "", 0, list(answers)
    end = time.monotonic() + 300
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            printed += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # the command has ended
            break
        if left and left[0][0] in printed[seen:]:
            seen = len(printed)
            os.write(terminal, f"{left.pop(0)[1]}\n".encode())
    os.close(terminal)
    assert left == [], printed
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), printed


def test_on_a_terminal_the_layout_is_written_and_tried_at_once(tmp_path: Path) -> None:
    (tmp_path / "layouts").mkdir()
    (tmp_path / "layouts" / "us_unsubs.yml").write_text("name: kept\n", "utf-8")
    (tmp_path / AMERICAN.name).write_bytes(AMERICAN.written_to(tmp_path))
    settings = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    environment = {
        **settings,
        "SELLIGENT_LAYOUTS": str(tmp_path / "layouts"),
        "PIPELINE_DATA_DIR": str(tmp_path / "data"),
        "TMPDIR": str(tmp_path),
        "COLUMNS": "200",
    }
    answers = [
        ("Another column to change", ""),
        ("Event of all rows", "6"),
        ("Time zone", "America/New_York"),
        ("Replace it?", "n"),
        ("Name of the file", "unsubscribed.yml"),
    ]
    status, printed = talk(["inspect", "--write", str(tmp_path / AMERICAN.name)], answers, environment)
    assert status == 0, printed
    layout = yaml.safe_load((tmp_path / "layouts" / "unsubscribed.yml").read_text("utf-8"))
    assert (layout["event"], layout["timezone"]) == ("Email Unsubscribed", "America/New_York")
    assert (tmp_path / "layouts" / "us_unsubs.yml").read_text("utf-8") == "name: kept\n"
    assert "14 rows, 0 skipped, 0 rejected" in printed
    assert "email_unsubscribed: 14 rows" in printed
    shown = [line for line in printed.splitlines() if "│" in line]
    assert len(shown) == 10
    assert 'Deals "daily"' in shown[0] and "2024-06-13" in shown[0] and "p0@" not in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["US_unsubs_20240613.zip", "data", "layouts"]
