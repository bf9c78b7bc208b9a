"""Codes that are known: what is proposed, what stays open, and that no proposal loads before a person looked at it."""

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.catalog import EVENTS_BY_NAME
from pipeline.errors import LayoutError
from pipeline.exports.layout_files import read_layout
from pipeline.layout_drafting.known_codes import are_send_states, known_word, proposals
from pipeline.layout_drafting.sample_columns import Column
from tests.layout_drafting.drafting import Drafter, Guessed, lines
from tests.support.export_folder import Desk

DELIVERED, OPENED, CLICKED, SPAM, BOUNCED, UNSUBSCRIBED = EVENTS_BY_NAME
NONE = "null"
STATES = {
    **dict.fromkeys([*range(8), 22], NONE),
    **dict.fromkeys([*range(10, 22), 26, 200, 500, 666, -666], NONE),
    **dict.fromkeys([23, 24, 25], BOUNCED),
    27: SPAM,
    30: DELIVERED,
}
# As people write them, in four languages.
WORDS = {
    DELIVERED: (
        "DELIVERED Delivery LIVRE Livré livrée DÉLIVRÉ Livraison AFGELEVERD aflevering bezorgd ZUGESTELLT Zustellung"
    ),
    OPENED: (
        "VIEW views Viewed OPEN opened OUVERTURE ouvertures Ouvert lu GEOPEND geopend gelezen "
        "GEOEFFNET GEÖFFNET geöffnet Öffnung OEFFNUNG gelesen EMAIL_VIEW mail-opened e-mail_geöffnet"
    ),
    CLICKED: "CLICK Clicks clicked CLIC clics Cliqué KLIK Kliks geklikt KLICK Klicks GEKLICKT LINK_CLICK link-clicked",
    SPAM: "COMPLAINT complaints PLAINTE Plaintes KLACHT klachten BESCHWERDE Beschwerden spam MARKED_AS_SPAM",
    BOUNCED: (
        "BOUNCE bounces Bounced HARD_BOUNCE softbounce REBOND rebonds Gebounced onbestelbaar UNZUSTELLBAR Rückläufer"
    ),
    UNSUBSCRIBED: (
        "OPTOUT Opt-out opted_out UNSUBSCRIBE unsubscribed DESABONNEMENT Désabonnement désabonnée DÉSINSCRIPTION "
        "UITSCHRIJVING uitgeschreven afmelding afgemeld ABMELDUNG abgemeldet Abbestellung"
    ),
    None: "SENT Send ENVOYE Envoyé envois VERZONDEN verstuurd verzending GESENDET versendet Versand",
}
SPELLED = [(word, event) for event, words in WORDS.items() for word in words.split()]


def column(name: str, counts: Mapping[str, int]) -> Column:
    return Column(name, 0, tuple(value for value, count in counts.items() for _ in range(count)))


def logged(codes: Sequence[str], header: str = "CUSTOMER_KEY;CODE;DT") -> str:
    """A log with these codes, one row each; date-times have an offset, so that nothing else is left to fill in."""
    return lines(header, *(f"C-{n};{code};2024-06-11T09:15:{n % 60:02}+02:00" for n, code in enumerate(codes)))


# Words


@pytest.mark.parametrize(("word", "event"), SPELLED)
def test_a_word_is_known_in_its_language_as_people_write_it(word: str, event: str | None) -> None:
    found = known_word(word)
    assert found is not None
    assert found.event == event
    assert found.why


@given(st.sampled_from(SPELLED), st.booleans(), st.sampled_from(["", "EMAIL_", "mail-", "E-Mail "]), st.randoms())
def test_case_accents_and_punctuation_make_no_difference(
    spelled: tuple[str, str | None], bare: bool, before: str, chance: object
) -> None:
    word, event = spelled
    if bare:
        word = "".join(letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter))
    before = "" if "mail" in word.lower() else before
    mixed = "".join(letter.upper() if chance.random() < 0.5 else letter.lower() for letter in word)  # type: ignore[attr-defined]
    found = known_word(before + mixed)
    assert found is not None
    assert found.event == event


@pytest.mark.parametrize(
    "word", ["", "view online", "VIEWONLINE", "clickbait", "FWD", "closed", "reopened?x", "optin", "V"]
)
def test_a_word_that_only_resembles_one_is_unknown(word: str) -> None:
    assert known_word(word) is None


LOGS = {
    "english": ["SENT", "DELIVERED", "VIEW", "CLICK", "BOUNCE", "COMPLAINT", "OPTOUT", "FWD"],
    "french": ["ENVOYE", "LIVRE", "OUVERTURE", "CLIC", "REBOND", "PLAINTE", "DESABONNEMENT", "TRANSFERT"],
    "french with accents": ["Envoyé", "Livré", "Ouverture", "Clic", "Rebond", "Plainte", "Désabonnement", "Transféré"],
    "dutch": ["VERZONDEN", "AFGELEVERD", "GEOPEND", "KLIK", "BOUNCE", "KLACHT", "UITSCHRIJVING", "DOORGESTUURD"],
    "german": ["GESENDET", "ZUGESTELLT", "GEOEFFNET", "GEKLICKT", "UNZUSTELLBAR", "BESCHWERDE", "ABMELDUNG", "WEITER"],
    "german with umlauts": [
        "Gesendet",
        "Zugestellt",
        "Geöffnet",
        "Geklickt",
        "Rückläufer",
        "Beschwerde",
        "Abmeldung",
        "?",
    ],
}
NAMES = {"english": "INTERACTION", "french": "TYPE_EVENEMENT", "dutch": "GEBEURTENIS", "german": "EREIGNIS"}


@pytest.mark.parametrize("language", LOGS)
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "unnamed"])
def test_a_log_in_any_of_four_languages_has_proposals_and_loads_once_they_are_verified(
    draft: Drafter, desk: Desk, tmp_path: Path, language: str, is_named: bool
) -> None:
    codes = LOGS[language]
    name = NAMES[language.split()[0]] if is_named else "X7"
    content = logged(codes * 6, f"CUSTOMER_KEY;{name};DT")
    text = draft(content, "ACME_log_20240611.csv")
    drafted = yaml.safe_load(text)
    assert drafted["event_column"] == name
    meant = dict(zip(codes, [NONE, DELIVERED, OPENED, CLICKED, BOUNCED, SPAM, UNSUBSCRIBED], strict=False))
    assert drafted["event_codes"] == {code: f"CHECK {event}" for code, event in meant.items()} | {codes[-1]: "FILL_IN"}
    assert all("# 6; " in line for line in text.splitlines() if ": CHECK " in line and line.startswith("  "))

    path = tmp_path / "draft.yml"
    verified = text.replace("FILL_IN", "null").replace("CHECK ", "")
    for code in codes:  # each of them is asked for
        proposal = drafted["event_codes"][code]
        kept = "\n".join(
            f"  {code!r}: {proposal}" if f"  {code}:" in line or f"  '{code}':" in line else line
            for line in verified.splitlines()
        )
        path.write_text(kept, "utf-8")
        with pytest.raises(LayoutError, match=r"is a proposal of `inspect`; verify it|'FILL_IN' is not an event"):
            read_layout(path)
    path.write_text(verified, "utf-8")
    desk.layouts = (read_layout(path),)
    desk.put("ACME_log_20240611.csv", content.encode())
    [file] = desk.load().files
    assert (file.status, file.rows, file.skipped, file.rejected) == ("loaded", 48, 12, 0)


# Exports as customers have them: names of columns and codes in their language, in the encoding of their system.
MEANINGS = [
    *("user_id", "email", "campaign_id", "campaign_name", "email_id", "email_subject", None),
    *("link_id", "link_name", "timestamp"),
]
MEANT = [NONE, DELIVERED, OPENED, CLICKED, BOUNCED, SPAM, UNSUBSCRIBED]
EXPORTS = {
    "english": (
        "CUSTOMER_KEY,EMAIL,JOURNEY_ID,JOURNEY_NAME,CONTENT_ID,SUBJECT,ACTION,PROBE_ID,PROBE_NAME,ACTION_DT",
        ["Sent", "Delivered", "Viewed", "Clicked", "Hard bounce", "Complaint", "Opt-out"],
        ("utf-8", "Summer", "%Y-%m-%d %H:%M:%S"),
    ),
    "french": (
        "ID_CLIENT;ADRESSE_EMAIL;ID_CAMPAGNE;NOM_CAMPAGNE;ID_MESSAGE;OBJET;TYPE_EVENEMENT;ID_LIEN;LIBELLE_LIEN;"
        "DATE_EVENEMENT",
        ["Envoyé", "Délivré", "Ouverture", "Clic", "Rebond", "Plainte", "Désabonnement"],
        ("windows-1252", "Soldes d'été", "%d/%m/%Y %H:%M:%S"),
    ),
    "dutch": (
        "KLANTNUMMER|E-MAILADRES|CAMPAGNE_ID|CAMPAGNENAAM|MAIL_ID|ONDERWERP|GEBEURTENIS|LINK_ID|LINKNAAM|TIJDSTIP",
        ["verzonden", "afgeleverd", "geopend", "geklikt", "bounce", "klacht", "uitgeschreven"],
        ("utf-8", "Zoë's zomer", "%d-%m-%Y %H:%M:%S"),
    ),
    "german": (
        "KUNDENNUMMER;E-MAIL-ADRESSE;KAMPAGNEN_ID;KAMPAGNENNAME;NACHRICHT_ID;BETREFF;EREIGNISART;LINK_ID;"
        "LINK_BEZEICHNUNG;ZEITPUNKT",
        ["Versendet", "Zugestellt", "Geöffnet", "Geklickt", "Unzustellbar", "Beschwerde", "Abmeldung"],
        ("utf-16-le", "Grüße im Sommer", "%d.%m.%Y %H:%M:%S"),
    ),
}


@pytest.mark.parametrize("language", EXPORTS)
def test_an_unknown_export_in_any_of_four_languages_is_drafted_whole(
    draft: Drafter, desk: Desk, tmp_path: Path, language: str
) -> None:
    header, codes, (encoding, name, pattern) = EXPORTS[language]
    delimiter = next(character for character in header if character in ",;|")
    names = header.split(delimiter)

    def row(number: int) -> str:
        code = codes[number % len(codes)]
        link = ["2071", "hero"] if code == codes[3] else ["", ""]
        moment = datetime(2024, 6, 13, 9, number % 60, 10, tzinfo=UTC).strftime(pattern)
        person = [f"C-{number % 40}", f"zoe{number % 40}@example.com"]
        return delimiter.join([*person, "5120", name, "7743", f"{name} !", code, *link, moment])

    content = lines(header, *(row(number) for number in range(140))).encode(encoding)
    text = draft(content, "ACME_export_20240614.csv")
    drafted = yaml.safe_load(text)
    assert drafted["encoding"] == encoding
    assert drafted["event_column"] == names[6]
    assert drafted["event_codes"] == {code: f"CHECK {event}" for code, event in zip(codes, MEANT, strict=True)}
    meant = dict(zip(names, MEANINGS, strict=True))
    assert drafted["columns"] == {column: meaning for column, meaning in meant.items() if meaning is not None}
    assert "zoe1@" not in text

    path = tmp_path / "draft.yml"
    path.write_text(text.replace("CHECK ", "").replace("FILL_IN", "Europe/Brussels"), "utf-8")
    desk.layouts = (read_layout(path),)
    desk.put("ACME_export_20240614.csv", content)
    [file] = desk.load().files
    assert (file.status, file.rows, file.skipped, file.rejected) == ("loaded", 140, 20, 0)
    assert desk.events("event").count(CLICKED) == 20


def test_one_known_word_beside_others_is_by_accident(guessed: Guessed) -> None:
    codes = guessed(logged(["OPEN", "CLOSED", "PENDING"] * 4, "CUSTOMER_KEY;STATUS;DT"))["event_codes"]
    assert codes == dict.fromkeys(["OPEN", "CLOSED", "PENDING"], "FILL_IN")


def test_sent_is_no_delivery_and_the_doubt_stands_beside_it(draft: Drafter) -> None:
    text = draft(logged(["SENT", "BOUNCE", "VIEW"] * 4, "CUSTOMER_KEY;EVENT;DT"))
    [line] = [line for line in text.splitlines() if line.startswith("  SENT: ")]
    assert line.startswith("  SENT: CHECK null ")
    assert line.endswith(
        "sent is not yet delivered, since the receiving server may return it; Email Delivered if nothing "
        "else reports deliveries"
    )


# Send states


@pytest.mark.parametrize(
    "name", ["STATE", "SENDSTATE", "Send_Status", "MAIL_STATE", "ETAT", "statut d'envoi", "ZUSTAND"]
)
def test_a_send_log_has_proposals_for_published_states_and_questions_for_others(draft: Drafter, name: str) -> None:
    codes = ["30"] * 80 + [str(state) for state in STATES] + ["9", "28", "41"]
    text = draft(
        lines(
            f"ID;MAIL;{name};SENT_DT",
            *(f"{99120000 + n};zoe{n}@example.com;{code};2024-06-11T09:15:10Z" for n, code in enumerate(codes)),
        ),
        "ACME_sends_20240611.csv",
    )
    drafted = yaml.safe_load(text)
    assert drafted["event_column"] == name
    expected = {str(state): f"CHECK {event}" for state, event in STATES.items()}
    assert drafted["event_codes"] == expected | dict.fromkeys(["9", "28", "41"], "FILL_IN")
    [sent] = [line for line in text.splitlines() if line.startswith("  '30': ")]
    assert sent.endswith(
        "# 81; send state 'sent': no bounce was reported so far; null if another code or file reports deliveries"
    )
    [spam] = [line for line in text.splitlines() if line.startswith("  '26': ")]
    assert "content screening" in spam
    assert "not a complaint" in spam


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("QUANTITY", {"30": 9, "23": 1, "24": 1}),
        ("ORDER_STATUS", {"30": 9, "23": 1, "24": 1}),
        ("SUBSCRIPTION_STATE", {"30": 9, "1": 1}),
        ("EVENT_TYPE", {"30": 9, "1": 4, "2": 2}),
        ("STATE", {"10": 2, "20": 3, "30": 9}),
        ("STATE", {"30": 9}),
        ("STATE", {"23": 5, "24": 4}),
        ("STATE", {"1": 9, "2": 3, "30": 1}),
        ("STATE", {"30": 9, "41": 4}),
        ("STATE", {"30": 9, "24": 3, "n": 1}),
        ("STATE", {"30.0": 9, "24": 3}),
    ],
)
def test_numbers_without_good_evidence_are_no_send_states(name: str, counts: Mapping[str, int]) -> None:
    assert proposals(column(name, counts)) == {}


def test_send_states_that_are_json_numbers_are_known_too(guessed: Guessed) -> None:
    rows = [
        f'{{"user_id": "C-{n}", "state": {code}, "ts": "2024-06-11T09:15:10Z"}}'
        for n, code in enumerate([30, 30, 30, 24] * 5)
    ]
    drafted = guessed(lines(*rows), "ACME_sends_20240611.ndjson")
    assert drafted["event_codes"] == {"30": f"CHECK {DELIVERED}", "24": f"CHECK {BOUNCED}"}


def test_send_states_in_a_file_without_a_header_are_left_to_the_reader(guessed: Guessed) -> None:
    rows = [f"C-{n};{code};2024-06-11T09:15:10Z" for n, code in enumerate(["30", "30", "30", "24"] * 5)]
    assert "event_codes" not in guessed(lines(*rows))


@given(st.dictionaries(st.integers(-5, 40).map(str), st.integers(1, 30), max_size=15), st.text(max_size=12))
def test_numbers_are_send_states_only_by_name_and_distribution(counts: Mapping[str, int], name: str) -> None:
    found = proposals(column("STATE", counts))
    rows = sum(counts.values())
    if found:
        assert counts["30"] == max(counts.values())
        assert sum(counts[code] for code in counts if int(code) in STATES) >= 0.9 * rows
    assert {code: proposal.event or NONE for code, proposal in found.items()} == (
        {code: STATES[int(code)] for code in counts if int(code) in STATES} if found else {}
    )
    assert not are_send_states(column(f"{name}_COUNT", counts))


# Whatever the codes are

CODE = (
    st.sampled_from([word for word, _ in SPELLED])
    | st.sampled_from([str(state) for state in STATES])
    | st.text(st.characters(categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=8)
)


@settings(deadline=None, max_examples=80)
@given(st.lists(CODE, min_size=2, max_size=12), st.sampled_from(["STATE", "EVENT", "INTERACTION", "X"]))
def test_no_draft_with_an_event_that_the_file_does_not_name_is_accepted(
    tmp_path_factory: pytest.TempPathFactory, codes: list[str], name: str
) -> None:
    from pipeline.layout_drafting.inspection import inspect

    folder = tmp_path_factory.getbasetemp()
    export, path = folder / "codes_20240611.csv", folder / "codes.yml"
    export.write_text(logged(codes * 3, f"CUSTOMER_KEY;{name};DT"), "utf-8")
    text = inspect(str(export))
    path.write_text(text, "utf-8")
    drafted = yaml.safe_load(text)
    for code, event in drafted.get("event_codes", {}).items():
        assert event == "FILL_IN" or event.startswith("CHECK ") or code == event
    with pytest.raises(LayoutError):
        read_layout(path)
