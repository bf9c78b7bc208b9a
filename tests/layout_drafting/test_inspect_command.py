"""The command prints a draft, or says in one line why there is none."""

import gzip
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from pysequoia import Tsk, encrypt

from pipeline.__main__ import main
from pipeline.errors import InspectionRefused, SettingsError
from pipeline.layout_drafting.inspection import inspect
from tests.docs.documents import LAYOUTS, blocks, section
from tests.exports.counted_files import zipped
from tests.layout_drafting.drafting import EXAMPLES
from tests.layout_drafting.unknown import coded, sends
from tests.support.gnupg_samples import ROTATED


def inspected(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pipeline", "inspect", *arguments], capture_output=True, text=True)


def test_the_command_prints_yaml_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / sends().name
    path.write_bytes(sends().content)
    answer = inspected(str(path))
    assert (answer.returncode, answer.stderr) == (0, "")
    assert yaml.safe_load(answer.stdout) == sends().draft


XLSX = io.BytesIO()
with zipfile.ZipFile(XLSX, "w") as _archive:
    _archive.writestr("[Content_Types].xml", "<Types/>")
    _archive.writestr("xl/workbook.xml", "<workbook/>")

REFUSED = {
    "empty.csv": (b"", "is empty"),
    "blank.csv": (b"\xef\xbb\xbf\r\n\r\n", "is empty"),
    "empty.csv.gz": (gzip.compress(b""), "is empty"),
    "cut.csv.gz": (gzip.compress(coded().content)[:-200], "can't be unpacked"),
    "a.csv.pgp": (b"\x85\x01\x0c\x03abc", "is encrypted with PGP, and SELLIGENT_PGP_KEY is not set"),
    "armored.csv": (b"-----BEGIN PGP MESSAGE-----\n\nabc", "is encrypted with PGP, and SELLIGENT_PGP_KEY is not set"),
    "book.xlsx": (XLSX.getvalue(), "is an Excel workbook"),
    "book.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1abc", "is an Excel workbook"),
    "binary.csv": (bytes(range(256)) * 9, "is not text"),
    "one.json": (b'[\n{"a": 1}\n]', "is one JSON document"),
    "indented.json": (b'{\n  "a": 1\n}\n', "is one JSON document"),
    "wrapped.json": (b'{"events": [\n{"a": 1},\n{"a": 2}\n]}', "is one JSON document"),
    "half.json": (b'{"a": 1,\n"b": 2}\n', "none of its first lines is a JSON object"),
    "words.txt": (b"just\nsome\nwords\n", "no delimiter"),
    "a.csv": (b"DAY,SENT,DELIVERED,OPENS\n2024-06-11,1,1,1\n", "it is an aggregate"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_export_is_refused_in_one_line(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    monkeypatch.setattr("sys.argv", ["pipeline", "inspect", str(tmp_path / name)])
    assert main() == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"{name}: ")
    assert words in output.err
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("missing.csv", "missing.csv: there is no such file"),
        ("memory://out/missing.csv", "missing.csv: there is no such file"),
        (".", "is a folder"),
        ("nosuch://user:secret@host/a.csv", "a.csv: can't be read (ValueError; check"),
    ],
)
def test_what_cannot_be_read_is_reported_in_one_line(
    file: str, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["pipeline", "inspect", file])
    assert main() == 2
    output = capsys.readouterr()
    assert words in output.err
    assert "secret" not in output.err


def test_a_file_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["pipeline", "inspect"])
    assert main() == 2
    assert issubclass(InspectionRefused, SettingsError)


def test_the_documents_show_what_the_command_prints() -> None:
    [excerpt] = blocks("yaml", section(LAYOUTS, "Draft a layout from an unknown export"))
    printed = inspect(str(EXAMPLES / "exports" / "ACME_interactions_20240611_0600.csv")).splitlines()
    assert [line for line in excerpt.splitlines() if line not in printed] == []


@pytest.mark.parametrize("name", ["coded.csv.pgp", "coded.csv.gz.pgp", "coded.csv.asc.zip"])
def test_an_encrypted_export_is_drafted_as_it_would_be_decrypted(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key.asc").write_text(ROTATED)
    monkeypatch.setenv("SELLIGENT_PGP_KEY", str(tmp_path / "key.asc"))
    key, text = Tsk.from_bytes(ROTATED.encode()).extract_certificate(), coded().content
    content = encrypt(gzip.compress(text) if ".gz" in name else text, recipients=[key])
    (tmp_path / name).write_bytes(zipped({"coded.csv.asc": content}) if name.endswith(".zip") else content)
    (tmp_path / "coded.csv").write_bytes(text)
    drafts = []
    for file in (name, "coded.csv"):
        monkeypatch.setattr("sys.argv", ["pipeline", "inspect", str(tmp_path / file)])
        assert main() == 0
        drafts.append(yaml.safe_load(capsys.readouterr().out))
    assert drafts[0] == drafts[1]
