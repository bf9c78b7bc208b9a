"""The lines of rejected rows, beside those of a reader that counts them one by one."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.export_folder import FEWER, HALF, HEADER, NAMES, NO_PERSON, UNIDENTIFIED, ZOE, Reader
from tests.support.random_files import IN_FILES

SEVERAL_LINES = ZOE.replace("Soldes", '"Soldes\n\nd\'ete\n"')
HALF_OF_SEVERAL = '"C-2\n\nC-3",jef@exam\n'
NO_PERSON_ON_LINES = NO_PERSON.replace("Soldes", '"Sol\ndes"')
REASONS = {HALF: FEWER, HALF_OF_SEVERAL: FEWER, NO_PERSON: UNIDENTIFIED, NO_PERSON_ON_LINES: UNIDENTIFIED}
PARTS = st.lists(st.sampled_from(["\n", "\n", ZOE, SEVERAL_LINES, *REASONS]), max_size=14)


def test_blank_lines_count_once(read: Reader) -> None:
    reading = read(HEADER + "\n" + ZOE + HALF + "\n" + NO_PERSON + SEVERAL_LINES + HALF + "\n" + NO_PERSON)
    assert reading.lines == [4, 6, 11, 13]
    assert reading.reasons == [FEWER, UNIDENTIFIED] * 2


@settings(IN_FILES, suppress_health_check=list(HealthCheck), database=None)
@given(
    parts=PARTS,
    ends=st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=1, max_size=2),
    header=st.booleans(),
    ended=st.booleans(),
)
def test_lines_are_those_of_an_editor(
    read: Reader, parts: list[str], ends: list[str], header: bool, ended: bool
) -> None:
    parts = [HEADER, *parts] if header else [ZOE, *parts]
    if set(ends) == {"\r", "\n"} or set(ends) == {"\r", "\r\n"}:
        ends = ends[:1]
    expected, line = [], 1
    for part in parts:
        if part in REASONS:
            expected.append((line, REASONS[part]))
        line += part.count("\n")
    content = "".join(part.replace("\n", ends[number % len(ends)]) for number, part in enumerate(parts))
    if not ended and parts[-1] != "\n":
        content = content.rstrip("\r\n")
    reading = read(content, header=True if header else NAMES)
    assert [(line, reason) for line, reason, _ in reading.rejected] == expected
    assert reading.file.rows == sum(part != "\n" for part in parts) - header
