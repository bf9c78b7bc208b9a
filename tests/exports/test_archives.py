"""Archives as people pack them, as accidents leave them, and as an attacker makes them."""

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InspectionRefused
from pipeline.exports.file_signatures import PGP_SIGNED
from pipeline.layout_drafting.file_head import read_head
from tests.exports.arrivals import JEF, names
from tests.exports.counted_files import zipped
from tests.support.export_folder import HEADER, ZOE, Desk, layout

TEXT = (HEADER + ZOE).encode()
MORE = (HEADER + JEF).encode()


@pytest.fixture
def desk(plain_desk: Desk) -> Desk:
    """Nothing here depends on how rows are stored."""
    return plain_desk


def tarred(name: str = "opens.csv", kind: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=kind) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(TEXT)
        archive.addfile(info, io.BytesIO(TEXT))
    return target.getvalue()


def with_method(number: int) -> bytes:
    """An archive whose member says that it is packed so."""
    content = bytearray(zipped({"opens.csv": TEXT}))
    content[8:10] = struct.pack("<H", number)
    place = content.index(b"PK\x01\x02")
    content[place + 10 : place + 12] = struct.pack("<H", number)
    return bytes(content)


def overlapping(members: int) -> bytes:
    """Each member is the same packed bytes, as a zip bomb has them."""
    content = zipped({"0000.csv": HEADER.encode() + ZOE.encode() * 9_000})
    place, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = content[place:end]
    entries = b"".join(entry.replace(b"0000.csv", b"%04d.csv" % number) for number in range(members))
    record = bytearray(content[end:])
    struct.pack_into("<HHL", record, 8, members, members, len(entries))
    return content[:place] + entries + bytes(record)


def reason(desk: Desk, content: bytes, name: str = "opens_odd.csv") -> str:
    """Why a file is refused; the good one beside it is loaded."""
    desk.put(name, content)
    desk.put("opens_good.csv", MORE)
    files = {file.name: file for file in desk.load().files}
    assert files["opens_good.csv"].status == "loaded"
    assert desk.events("user_id") == ["C-2"]
    assert files[name].status == "refused"
    return files[name].reason or ""


PACKED_WITH = "is compressed with {}; only zip and gzip are read"
TAR = "is a tar archive; only zip and gzip are read, with the exports directly inside"
TWICE = "is compressed twice; decompress it once"
METHOD = "contains 'opens.csv', packed by a method ({}) that is not supported; use Deflate"
BEHIND = "has bytes after its gzip data that are not gzip; have it sent again"
REFUSED: dict[str, tuple[bytes, str]] = {
    "gzip in gzip": (gzip.compress(gzip.compress(TEXT)), TWICE),
    "zip in gzip": (gzip.compress(zipped({"opens.csv": TEXT})), TWICE),
    "gzip in zip": (zipped({"o.gz": gzip.compress(TEXT)}), f"contains 'o.gz', which {TWICE}"),
    "tar": (tarred(), TAR),
    "old tar": (tarred(kind=tarfile.USTAR_FORMAT).replace(b"ustar\x0000", b"\0" * 8, 0), TAR),
    "gnu tar": (tarred(kind=tarfile.GNU_FORMAT), TAR),
    "tar in gzip": (gzip.compress(tarred()), TAR),
    "tar in zip": (zipped({"o.tar": tarred()}), f"contains 'o.tar', which {TAR}"),
    "bzip2": (bz2.compress(TEXT), PACKED_WITH.format("bzip2")),
    "empty bzip2": (bz2.compress(b""), PACKED_WITH.format("bzip2")),
    "xz": (lzma.compress(TEXT), PACKED_WITH.format("xz")),
    "zstd": (b"\x28\xb5\x2f\xfd" + TEXT, PACKED_WITH.format("Zstandard")),
    "7z": (b"7z\xbc\xaf\x27\x1c" + TEXT, PACKED_WITH.format("7-Zip")),
    "rar": (b"Rar!\x1a\x07\x01\x00" + TEXT, PACKED_WITH.format("RAR")),
    "lz4": (b"\x04\x22\x4d\x18" + TEXT, PACKED_WITH.format("LZ4")),
    "xz in gzip": (gzip.compress(lzma.compress(TEXT)), PACKED_WITH.format("xz")),
    "deflate64": (with_method(9), METHOD.format("Deflate64")),
    "implode": (with_method(6), METHOD.format("Implode")),
    "ppmd": (with_method(98), METHOD.format("PPMd")),
    "unknown method": (with_method(77), METHOD.format("number 77")),
    "bytes behind gzip": (gzip.compress(TEXT) + b"C-3,x", BEHIND),
    "bytes behind two gzips": (gzip.compress(TEXT) + gzip.compress(MORE) + b"\0\0x", BEHIND),
    "clearly signed pgp": (b"-----BEGIN PGP SIGNED MESSAGE-----\n", PGP_SIGNED),
    "signed pgp": (b"\x90\x0d\x03\x00\x08", PGP_SIGNED),
    "signed pgp in gzip": (gzip.compress(b"\xa3\x01\x0c\x03abc"), PGP_SIGNED),
    "pgp key": (b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n", "is a PGP key or signature, not an export"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_read_is_named_and_the_loader_and_inspect_say_the_same(
    desk: Desk, tmp_path: Path, case: str
) -> None:
    content, expected = REFUSED[case]
    assert reason(desk, content) == expected
    inspected = tmp_path / "opens_odd.csv"
    inspected.write_bytes(content)
    with pytest.raises(InspectionRefused) as refused:
        read_head(str(inspected))
    assert str(refused.value).replace("contains 'o.gz', which ", "").replace("contains 'o.tar', which ", "") == (
        f"opens_odd.csv: {expected}".replace("contains 'o.gz', which ", "").replace("contains 'o.tar', which ", "")
    )


def test_a_name_says_pgp_where_the_bytes_are_no_text(desk: Desk) -> None:
    assert reason(desk, b"\xd2\x01\x17\x02rest", "opens.csv.pgp").startswith("is encrypted with PGP, and ")


def test_a_text_that_is_called_pgp_is_read(desk: Desk) -> None:
    desk.put("opens.csv.pgp", TEXT)
    assert names(desk.load()) == [("opens.csv.pgp", "loaded")]


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(TEXT) + b"\0" * 1000,
        gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:]),
        gzip.compress(TEXT) + gzip.compress(b""),
        zipped({"folder/": b"", "folder/opens.csv": TEXT}),
        zipped({"opens.csv": TEXT}, zipfile.ZIP_STORED),
        zipped({"opens.csv": TEXT}, zipfile.ZIP_BZIP2),
        zipped({"opens.csv": TEXT}, zipfile.ZIP_LZMA),
        zipped({"opens.csv": TEXT, "__MACOSX/._opens.csv": b"\0\5\x16\7", ".DS_Store": b"\0"}),
        zipped({"sîé [b] 'x'.csv": TEXT}),
    ],
    ids=["padded", "two gzips", "empty gzip behind", "folders", "stored", "bzip2", "lzma", "scrap", "odd name"],
)
def test_what_can_be_read_is_read(desk: Desk, content: bytes) -> None:
    desk.put("opens.csv", content)
    assert [(file.status, file.rows, file.reason) for file in desk.load().files] == [("loaded", 1, None)]
    assert desk.events("user_id") == ["C-1"]


@pytest.mark.parametrize("name", ["opens.csv.GZ", "opens.csv.Gz", "opens.csv.ZIP", "opens.csv.zip.GZ"])
def test_the_ending_of_a_packed_file_may_be_in_capitals(desk: Desk, name: str) -> None:
    desk.layouts = (desk.layouts[0].model_copy(update={"files": r"opens\.csv"}),)
    desk.put(name, gzip.compress(TEXT) if name.lower().endswith("gz") else zipped({"a.csv": TEXT}))
    assert names(desk.load()) == [(name, "loaded")]


@pytest.mark.parametrize("members", [{}, {"folder/": b""}, {".DS_Store": b"\0"}], ids=["none", "folder", "scrap"])
@pytest.mark.parametrize("header", [True, ["CUSTOMER", "MAIL", "SUBJECT", "OPENED_AT"]], ids=["header", "no header"])
def test_an_archive_without_files_has_no_rows(desk: Desk, members: dict[str, bytes], header: Any) -> None:
    desk.layouts = (layout(header=header),)
    desk.put("opens.csv", zipped(members))
    desk.put("opens_good.csv", ZOE if isinstance(header, list) else TEXT)
    assert [(file.name, file.status, file.rows, file.reason) for file in desk.load().files] == [
        ("opens.csv", "loaded", 0, "it is an archive with no file in it"),
        ("opens_good.csv", "loaded", 1, None),
    ]


@pytest.mark.parametrize("beside", ["README.txt", "manifest.json", "opens.csv.md5", "docs/Liesmich.TXT", ".hidden"])
def test_what_is_packed_beside_an_export_is_left_out_and_named(desk: Desk, beside: str) -> None:
    desk.put("opens.csv", zipped({beside: b"Export of June.\n", "opens.csv": TEXT, "second.csv": MORE}))
    assert [(file.rows, file.rejected, file.reason) for file in desk.load().files] == [
        (2, 0, f"the archive also contains {beside!r}, which is ignored")
    ]
    assert desk.events("user_id") == ["C-1", "C-2"]


def test_an_export_that_is_called_readme_is_read_where_nothing_is_beside_it(desk: Desk) -> None:
    desk.put("opens.csv", zipped({"README.txt": TEXT}))
    assert [(file.rows, file.reason) for file in desk.load().files] == [(1, None)]


def test_a_link_inside_of_an_archive_is_refused(desk: Desk) -> None:
    info = zipfile.ZipInfo("opens.csv")
    info.external_attr = 0o120777 << 16
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    assert reason(desk, target.getvalue()) == "contains 'opens.csv', which is a link; have the file itself packed"


# What is made to fill disks


@pytest.mark.timeout(30)
@pytest.mark.parametrize("members", [2, 3_000])
def test_members_in_the_same_bytes_are_refused(desk: Desk, members: int) -> None:
    """3,000 of them, in 214 kB, filled 1.4 GB."""
    assert reason(desk, overlapping(members)).startswith("contains '0000.csv' and '0001.csv' in the same bytes")


def test_all_members_have_one_budget(desk: Desk) -> None:
    content = zipped({f"{number}.csv": b"\n" * 30_000_000 for number in range(3)})
    assert reason(desk, content) == "unpacks to more than 67 MB, which no export of its size does"


def test_a_gzip_without_end_is_refused(desk: Desk) -> None:
    assert "unpacks to more than 67 MB" in reason(desk, gzip.compress(b"\n" * 100_000_000))


def test_too_many_members_are_refused(desk: Desk) -> None:
    content = zipped({f"{number}.csv": b"" for number in range(10_001)}, zipfile.ZIP_STORED)
    assert reason(desk, content) == "contains 10,001 members; up to 10,000 are read"


def test_a_list_of_members_that_is_too_long_is_not_read(desk: Desk) -> None:
    content = bytearray(zipped({"opens.csv": TEXT}))
    struct.pack_into("<L", content, content.index(b"PK\x05\x06") + 12, 5 << 20)
    assert reason(desk, bytes(content)).startswith("lists 5,242,880 bytes of members")


def test_a_full_disk_is_no_fault_of_the_file(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.exports.archives._SPARE_BYTES", 1 << 62)
    monkeypatch.setattr("pipeline.exports.archives.HARMLESS_BYTES", 10)
    desk.put("opens.csv", gzip.compress(TEXT))
    assert [(file.status, (file.reason or "")[:19]) for file in desk.load().files] == [
        ("refused", "can't be unpacked: ")
    ]
    monkeypatch.undo()
    assert names(desk.load()) == [("opens.csv", "loaded")]


# Accidents


def damaged(chance: random.Random) -> bytes:
    """An archive after some accidents."""
    whole: list[Any] = [
        zipped({"a.csv": TEXT, "b.csv": MORE}),
        zipped({"README": b"x", "folder/a.csv": TEXT}, zipfile.ZIP_LZMA),
        gzip.compress(TEXT) + gzip.compress(MORE),
        overlapping(3),
        tarred(),
        gzip.compress(zipped({"a.csv": TEXT})),
        lzma.compress(TEXT),
    ]
    content = bytearray(chance.choice(whole))
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(content))
        match chance.randrange(4):
            case 0:
                content[place] = chance.randrange(256)
            case 1:
                del content[place : place + chance.randrange(1, 40)]
            case 2:
                content[place:place] = chance.randbytes(chance.randrange(1, 9))
            case _:
                content += content[place : place + 60]
    return bytes(content)


def test_whatever_happens_to_archives_the_good_file_beside_them_is_loaded(desk: Desk) -> None:
    chance = random.Random(12)
    for number in range(10):
        desk.put(f"opens_{number:03}.csv", damaged(chance))
    desk.put("opens_good.csv", HEADER + ZOE.replace("Soldes", "good"))
    files = {file.name: file for file in desk.load().files}
    assert files["opens_good.csv"].status == "loaded"
    assert len(files) == 11
    assert {file.status for file in files.values()} <= {"loaded", "refused", "duplicate"}
    assert all(file.reason for file in files.values() if file.status == "refused")
