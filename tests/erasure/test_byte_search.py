"""Values are found anywhere among bytes, but not as a part of another person's value."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.erasure import byte_search
from pipeline.erasure.byte_search import ByteSearch

PEOPLE = [b"anna@x.be", b"klant-20001", b"a@b.c", b"klant-200"]
NOISE = st.lists(st.sampled_from([b"anna@", b"klant-", b"200", b"01", b"a@b", b".c", b"x.be", b"\x00", b"jo"])).map(
    b"".join
)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_search, "_CHUNK_BYTES", 40)
    monkeypatch.setattr(byte_search, "_LONGEST_VALUE", 12)
    monkeypatch.setattr(byte_search, "_VALUES_PER_AUTOMATON", 3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=NOISE)
@pytest.mark.usefixtures("small_chunks")
def test_what_is_found_is_what_stands_there(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(text.upper())
    assert ByteSearch(PEOPLE).found_in(path) == {value for value in PEOPLE if value in text}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=NOISE, after=NOISE)
@pytest.mark.usefixtures("small_chunks")
def test_what_is_a_part_of_another_value_is_no_trace(tmp_path: Path, before: bytes, after: bytes) -> None:
    text = before + b"|joanna@x.be|klant-200017|" + after
    path = tmp_path / "file"
    path.write_bytes(text)
    longer = {b"anna@x.be": [b"joanna@x.be"], b"klant-20001": [b"klant-200017"]}
    without = text.replace(b"joanna@x.be", b"").replace(b"klant-200017", b"")
    expected = {value for value in longer if value in without}
    assert ByteSearch(longer).found_in(path, longer) == expected


def test_nobody_is_found_in_nothing_and_nothing_is_found_for_nobody(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"")
    assert ByteSearch(PEOPLE).found_in(path) == set()
    path.write_bytes(b"anna@x.be")
    assert ByteSearch([]).found_in(path) == set()
