"""Encrypted exports on an FTP server: broken off, killed, loaded; no secret and no decrypted file is left."""

from pathlib import Path
from urllib.parse import quote

from pysequoia import Tsk, encrypt

from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.fakes import ftp as ftp_server
from tests.fakes.ftp import Ftp
from tests.fakes.segment_server import SegmentServer
from tests.support.gnupg_samples import CURVE25519, PASSPHRASE

NAME = "log_20240611.csv.pgp"
ROWS = [f"reader-{number},m1,c1,VIEW,,2024-06-10T08:00:00Z" for number in range(200)]
# It stands in the decrypted file, in the tables and in what is sent, and nowhere else.
MARK = "reader-199"


def test_an_encrypted_export_arrives_by_ftps_whole_or_not_at_all(
    delivering: Project, segment: SegmentServer, ftps: Ftp, tmp_path: Path
) -> None:
    delivering.with_files({}, LAYOUTS)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "exports.asc").write_text(CURVE25519)
    key = Tsk.from_bytes(CURVE25519.encode()).extract_certificate()
    (ftps.folder / NAME).write_bytes(encrypt(log(ROWS).encode(), recipients=[key], armor=False))
    delivering.settings |= {"SELLIGENT_EXPORTS": ftps.url(), "TMPDIR": str(temporary)}

    without_key = delivering.command("run")
    assert without_key.returncode == 0, without_key.stderr
    assert f"{NAME}: refused: is encrypted with PGP, and SELLIGENT_PGP_KEY is not set" in _on_one_line(
        without_key.stderr
    )

    delivering.settings |= {"SELLIGENT_PGP_KEY": str(tmp_path / "exports.asc")}
    locked = delivering.command("run", SELLIGENT_PGP_PASSPHRASE="hunter-wrong")
    assert locked.returncode == 2
    assert locked.stderr.startswith("SELLIGENT_PGP_PASSPHRASE: does not open the key of SELLIGENT_PGP_KEY")

    delivering.settings |= {"SELLIGENT_PGP_PASSPHRASE": PASSPHRASE}
    ftps.behaviour.cut_after = 5000
    broken = delivering.command("run")
    assert broken.returncode == 0, broken.stderr
    assert "can't be read (the connection broke off after 5,000 of " in _on_one_line(broken.stderr)
    assert not segment.received_ids

    ftps.behaviour.cut_after = None
    killed = delivering.killed("pipeline.exports.preparing:decrypted", "run")
    assert killed.returncode == 9
    assert [path.name for path in _with(MARK, temporary)] == ["decrypted"]

    whole = delivering.command("run")
    assert whole.returncode == 0, whole.stderr
    assert len(segment.received_ids) == len(ROWS)
    assert segment.received_ids == delivering.ids()
    assert _with(MARK, temporary) == []

    texts = [text for done in (without_key, locked, broken, killed, whole) for text in (done.stdout, done.stderr)]
    for secret in (PASSPHRASE, quote(PASSPHRASE), ftp_server.PASSWORD, quote(ftp_server.PASSWORD, safe="")):
        assert not [text for text in texts if secret in text]
        assert _with(secret, tmp_path) == []


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


def _with(text: str, folder: Path) -> list[Path]:
    """The files with a text in them."""
    return [path for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]
