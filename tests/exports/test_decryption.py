"""Encrypted exports are read as if they were not, whatever is around or inside; nothing damaged is."""

import base64
import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysequoia import CipherSuite, SignatureMode, Tsk, encrypt, encrypt_file, sign

from pipeline.errors import FileRefused, FileUnreadable
from pipeline.exports.decryption import decrypted
from pipeline.openpgp import SecretKey, decrypted_stream
from tests.exports.arrivals import names
from tests.exports.counted_files import zipped
from tests.support import gnupg_samples
from tests.support.export_folder import HEADER, ZOE, Desk, layout

TEXT = (HEADER + ZOE).encode()
KEYS = {
    "rsa": Tsk.generate("Desk <desk@example.com>", cipher_suite=CipherSuite.RSA2k),
    "curve25519": Tsk.generate("Desk <desk@example.com>"),
    "protected rsa": Tsk.from_bytes(gnupg_samples.RSA.encode()),
    "protected curve25519": Tsk.from_bytes(gnupg_samples.CURVE25519.encode()),
}
DESK = KEYS["curve25519"]
KEY = SecretKey(bytes(DESK), None)
SENDER = Tsk.generate("Selligent <out@example.com>")
ROTATED = SecretKey(gnupg_samples.ROTATED.encode(), None)


@pytest.fixture
def desk(plain_desk: Desk) -> Desk:
    """Nothing here depends on how rows are stored."""
    return plain_desk


def sealed(content: bytes, key: Tsk = DESK, *, armor: bool = False, signer: Tsk | None = None) -> bytes:
    signed = {"signer": signer.signer()} if signer else {}
    return encrypt(content, recipients=[key.extract_certificate()], armor=armor, **signed)


def outcome(desk: Desk, content: bytes | str, name: str = "opens.csv.pgp") -> str:
    """The status of one file, and its reason."""
    desk.put(name, content)
    [file] = desk.load().files
    return f"{file.status} {file.reason or ''}".strip()


@pytest.fixture
def keyed(desk: Desk) -> Desk:
    desk.key = KEY
    return desk


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("armor", [True, False], ids=["armored", "binary"])
def test_an_encrypted_export_is_loaded(desk: Desk, key: str, armor: bool) -> None:
    desk.key = SecretKey(bytes(KEYS[key]), gnupg_samples.PASSPHRASE if "protected" in key else None)
    content = sealed(TEXT, KEYS[key], armor=armor)
    assert outcome(desk, content) == "loaded"
    assert desk.events("user_id") == ["C-1"]
    assert desk.files("sha256", "size") == [(hashlib.sha256(content).hexdigest(), len(content))]


SHAPES = {
    "opens.csv.pgp": sealed(TEXT),
    "opens.csv.gpg": sealed(TEXT),
    "opens.csv.asc": sealed(TEXT, armor=True),
    "opens.CSV.PGP": sealed(TEXT),
    "opens.csv": sealed(TEXT),
    "opens_armored.csv": b"\n" + sealed(TEXT, armor=True),
    "opens_signed.csv.pgp": sealed(TEXT, signer=SENDER),
    "opens.csv.gz.pgp": sealed(gzip.compress(TEXT)),
    "opens.csv.zip.pgp": sealed(zipped({"opens.csv": TEXT})),
    "opens.csv.pgp.gz": gzip.compress(sealed(TEXT)),
    "opens.csv.asc.gz": gzip.compress(sealed(TEXT, armor=True)),
    "opens.csv.pgp.zip": zipped({"opens.csv.pgp": sealed(TEXT)}),
    "opens.csv.asc.zip": zipped({"opens.csv.asc": sealed(TEXT, armor=True), "README.txt": b"hello"}),
    "opens.zip": zipped({"a.pgp": sealed(TEXT)}),
    "opens.utf16.csv.pgp": sealed(TEXT.decode().encode("utf-16")),
}


@pytest.mark.parametrize("name", SHAPES)
def test_encryption_is_found_wherever_it_is(keyed: Desk, name: str) -> None:
    assert outcome(keyed, SHAPES[name], name).startswith("loaded")
    assert keyed.events("user_id") == ["C-1"]


def test_the_patterns_of_layouts_do_not_see_the_ending(keyed: Desk) -> None:
    keyed.layouts = (layout(files=r"opens\.csv"),)
    for folder, name in enumerate(("opens.csv.pgp", "opens.csv.gz.gpg", "opens.csv.asc.zip", "opens.csv.ZIP.PGP")):
        keyed.put(f"{folder}/{name}", SHAPES["opens.csv.pgp"] + b"")
    assert {status for _, status in names(keyed.load())} <= {"loaded", "duplicate"}


def test_members_of_a_zip_may_be_encrypted_or_not(keyed: Desk) -> None:
    jef = TEXT.replace(b"C-1", b"C-2")
    content = zipped({"a.csv.pgp": sealed(TEXT), "b.csv": jef, "a.csv.sha256": b"0" * 64})
    assert outcome(keyed, content, "opens.zip") == ("loaded the archive also contains 'a.csv.sha256', which is ignored")
    assert keyed.events("user_id") == ["C-1", "C-2"]


def test_the_parts_of_an_export_may_be_encrypted(keyed: Desk) -> None:
    keyed.layouts = (layout(files=r"opens_(?P<part>\d)\.csv"),)
    keyed.put("opens_1.csv.pgp", sealed(TEXT))
    keyed.put("opens_2.csv.pgp", sealed(ZOE.replace("C-1", "C-2").encode()))
    assert [file.status for file in keyed.load().files] == ["loaded", "loaded"]
    assert keyed.events("user_id") == ["C-1", "C-2"]


@pytest.mark.parametrize("of", [TEXT, gzip.compress(TEXT)], ids=["text", "gzip"])
def test_a_promised_md5_may_be_that_of_the_decrypted_file(keyed: Desk, of: bytes) -> None:
    keyed.layouts = (layout(files=r"opens_(?P<md5>\w+)\.csv"),)
    content = sealed(of)
    for digest in {hashlib.md5(each).hexdigest() for each in (content, of, TEXT)}:
        name = f"opens_{digest}.csv.pgp"
        assert outcome(keyed, content, name).partition(" ")[0] in ("loaded", "duplicate")
        keyed.remove(name)
    wrong = f"opens_{'0' * 32}.csv.pgp"
    assert outcome(keyed, sealed(of), wrong).startswith("refused the file does not match the expected MD5")


# What GnuPG makes


@pytest.mark.parametrize("message", ["FORMER_SUBKEY", "NEW_SUBKEY", "SIGNED", "HIDDEN_RECIPIENT", "TEXT_MODE", "ZLIB"])
def test_what_gnupg_makes_is_read(desk: Desk, message: str) -> None:
    desk.key = ROTATED
    assert outcome(desk, getattr(gnupg_samples, message)) == "loaded"
    assert desk.events("user_id") == ["C-1"]


CUT = "refused is cut off or damaged, so it can't be decrypted; have it sent again"
METHOD = (
    "refused is damaged, or encrypted by a method that is not supported (GnuPG's OCB, bzip2); have it sent again, "
    "encrypted with `gpg --rfc4880 --compress-algo zip`"
)
OTHER_KEY = (
    "refused is encrypted for another key than that of SELLIGENT_PGP_KEY, or with a password; set the key that it is "
    "encrypted for, or have it encrypted for this one"
)
SIGNED = "refused is signed with PGP and not encrypted; have it encrypted, or sent as it is"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("BZIP2", METHOD),
        ("TRIPLE_DES", "refused is encrypted by a method that is no longer secure; have it encrypted with AES"),
        ("WITH_PASSWORD", OTHER_KEY),
        ("SIGNED_ONLY", SIGNED),
        ("CLEAR_SIGNED", SIGNED),
        ("SIGNATURE", "refused is a PGP key or signature, not an export"),
    ],
)
def test_what_can_not_be_decrypted_is_refused_with_its_reason(desk: Desk, message: str, expected: str) -> None:
    desk.key = ROTATED
    assert outcome(desk, getattr(gnupg_samples, message)) == expected
    assert desk.events() == []


def test_a_signed_file_is_refused_in_binary_too(keyed: Desk) -> None:
    assert outcome(keyed, sign(SENDER.signer(), TEXT, mode=SignatureMode.INLINE, armor=False)) == SIGNED


# What is wrong


def test_without_a_key_the_setting_is_named_and_the_next_run_tries_again(desk: Desk) -> None:
    content = sealed(TEXT)
    no_key = (
        "refused is encrypted with PGP, and SELLIGENT_PGP_KEY is not set; set it to a file with the secret key that it "
        "is encrypted for"
    )
    assert outcome(desk, content) == no_key
    desk.key = KEY
    assert [file.status for file in desk.load().files] == ["loaded"]


def test_another_key_is_named_and_the_next_run_tries_again(desk: Desk) -> None:
    desk.key = SecretKey(bytes(SENDER), None)
    assert outcome(desk, sealed(TEXT)) == OTHER_KEY
    desk.key = SecretKey(bytes(SENDER) + bytes(DESK), None)
    assert [file.status for file in desk.load().files] == ["loaded"]


def test_a_member_is_named(keyed: Desk) -> None:
    content = zipped({"a.pgp": sealed(TEXT)[:-9]})
    assert outcome(keyed, content, "opens.zip") == CUT.replace("refused ", "refused contains 'a.pgp', which ")


def test_what_is_encrypted_twice_is_refused(keyed: Desk) -> None:
    assert outcome(keyed, sealed(sealed(TEXT))) == "refused is encrypted twice; decrypt it once"


def test_gzip_around_and_inside_is_refused_as_twice(keyed: Desk) -> None:
    content = zipped({"a.csv.gz.pgp": sealed(gzip.compress(TEXT))})
    assert outcome(keyed, content, "opens.zip") == (
        "refused contains 'a.csv.gz', which is compressed twice; decompress it once"
    )


def test_a_message_of_gnupgs_own_kind_is_refused(keyed: Desk) -> None:
    """The session key is followed by a packet of type 20, which RFC 9580 does not have."""
    content = sealed(TEXT)
    session_key = content[: 2 + content[1]]
    assert outcome(keyed, session_key + b"\xd4\x20" + b"\1" * 32).startswith("refused is ")


def test_a_session_key_before_a_text_that_is_not_encrypted_is_refused(keyed: Desk) -> None:
    content = sealed(TEXT)
    literal = b"\xcb" + bytes([len(TEXT) + 6]) + b"b\0\0\0\0\0" + TEXT
    assert outcome(keyed, content[: 2 + content[1]] + literal).startswith("refused is ")
    assert keyed.events() == []


def test_a_message_without_authentication_is_refused(keyed: Desk) -> None:
    """Packets of type 9 could be changed on their way."""
    content = sealed(TEXT)
    assert outcome(keyed, content[: 2 + content[1]] + b"\xc9\x60" + os.urandom(0x60)).startswith("refused is ")


LARGE = (HEADER + ZOE * 3).encode() + b"".join(b"C-%d,,,2024-06-11T09:15:10\n" % number for number in range(50_000))
LARGE_SEALED = sealed(LARGE)


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_no_damage_and_no_cut_is_loaded(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Either the whole content comes out, or a refusal: a damaged name of the recipient harms nothing."""
    content = bytearray(LARGE_SEALED)
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(1, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "opens.csv.pgp"
    path.write_bytes(content)
    try:
        plain = decrypted(path, path.name, folder, KEY)
    except (FileRefused, FileUnreadable):
        return
    assert plain == path or plain.read_bytes() == LARGE


@given(st.binary(max_size=5_000), st.booleans(), st.booleans())
@settings(max_examples=15, deadline=None)
def test_any_content_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, armor: bool, is_signed: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.pgp"
    path.write_bytes(sealed(content, armor=armor, signer=SENDER if is_signed else None))
    with decrypted_stream(path, KEY) as stream:
        assert stream.read() == content


def test_damage_at_the_end_of_a_large_file_leaves_no_row(keyed: Desk) -> None:
    """Of files above 25 MB the library gives out text before it has seen the end."""
    text = TEXT + b"".join(b"C-%d,,,2024-06-11T09:15:10\n" % number for number in range(1_200_000))
    content = sealed(text)
    assert outcome(keyed, content[:-20]) == CUT
    keyed.put("opens.csv.pgp", sealed(text[: len(TEXT)]))
    assert [file.status for file in keyed.load().files] == ["loaded"]
    assert keyed.events("user_id") == ["C-1"]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Neither that of this process nor that of the one that decrypts has more than the limit."""
    plain, path = tmp_path / "plain", tmp_path / "large.pgp"
    chunk = base64.b64encode(os.urandom(768 << 10))
    with plain.open("wb") as file:
        file.writelines(chunk for _ in range(300))
    encrypt_file(str(plain), str(path), recipients=[DESK.extract_certificate()], armor=False)
    program = (
        "import resource, sys\nfrom pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (200 << 20, 200 << 20))\n"
        "from pipeline.openpgp import SecretKey, decrypted_stream\n"
        "size = 0\nwith decrypted_stream(Path(sys.argv[1]), SecretKey(Path(sys.argv[2]).read_bytes(), None)) as text:\n"
        "    while chunk := text.read(1 << 20):\n        size += len(chunk)\n"
        "print(size)"
    )
    (tmp_path / "key").write_bytes(KEY.content)
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), str(tmp_path / "key")], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) == 300 << 20


def test_the_decrypted_file_is_gone_after_the_load(
    keyed: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    assert outcome(keyed, SHAPES["opens.csv.pgp.zip"], "opens.zip") == "loaded"
    assert list((tmp_path / "tmp").rglob("*")) == []
