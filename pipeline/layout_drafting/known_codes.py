"""Event codes with a published or an ordinary meaning, and the event that each probably stands for.

They are proposals only: a draft that contains one is refused until a person has verified it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.catalog import EVENTS_BY_NAME
from pipeline.layout_drafting import vocabulary
from pipeline.layout_drafting.sample_columns import Column
from pipeline.naming import plain


@dataclass(frozen=True)
class Proposal:
    """The event that a code probably stands for, or None for none of the six; and what to verify."""

    event: str | None
    why: str


_DELIVERED, _OPENED, _CLICKED, _SPAM, _BOUNCED, _UNSUBSCRIBED = EVENTS_BY_NAME

# Send states

_ON_ITS_WAY = "not final, so the row may come again with another state"
_NOT_SENT = "the email could not be sent"
# Selligent's published states of its action queue and its transactional API; 25 to 27 and the three-digit ones are in
# an older list, of the predecessor.
_STATES: Mapping[int, tuple[str, str | None, str]] = {
    0: ("new", None, _ON_ITS_WAY),
    1: ("picked up", None, _ON_ITS_WAY),
    **dict.fromkeys((2, 3, 4), ("in progress", None, _ON_ITS_WAY)),
    5: ("retry", None, _ON_ITS_WAY),
    6: ("waiting for feedback of the channel", None, _ON_ITS_WAY),
    7: ("processing feedback of the channel", None, _ON_ITS_WAY),
    10: ("bad user", None, _NOT_SENT),
    11: ("bad domain", None, _NOT_SENT),
    12: ("bad template", None, _NOT_SENT),
    13: ("bad address", None, f"{_NOT_SENT}; {_BOUNCED} if the receiving server refused it"),
    14: ("blocked by a rule", None, _NOT_SENT),
    15: ("catalogue error", None, _NOT_SENT),
    16: ("catalogue error", None, _NOT_SENT),
    17: ("unavailable", None, _NOT_SENT),
    18: ("sender problem", None, _NOT_SENT),
    19: ("receiver problem", None, f"{_NOT_SENT}; {_BOUNCED} if the receiving server refused it"),
    20: ("server unavailable or account full", None, f"{_NOT_SENT}; {_BOUNCED} if the receiving server refused it"),
    21: ("blacklisted", None, _NOT_SENT),
    22: ("greylisted", None, _ON_ITS_WAY),
    23: ("soft bounce", _BOUNCED, "the receiving server returned it for now"),
    24: ("hard bounce", _BOUNCED, "the receiving server returned it for good"),
    25: ("mailbox full", _BOUNCED, "from an older list of states"),
    26: (
        "spam found by content screening",
        None,
        "from an older list of states; a filter, not a complaint of a person",
    ),
    27: ("complaint", _SPAM, "from an older list of states"),
    30: ("sent", _DELIVERED, "no bounce was reported so far; null if another code or file reports deliveries"),
    200: ("rolled back", None, "from an older list of states"),
    500: ("modified", None, "from an older list of states"),
    666: ("on hold or cancelled", None, "from an older list of states"),
    -666: ("on hold or cancelled", None, "from an older list of states"),
}
_SENT = 30
_BY_STATE = {
    str(state): Proposal(event, f"send state '{name}': {doubt}") for state, (name, event, doubt) in _STATES.items()
}
_NUMBER = re.compile(r"-?\d+", re.ASCII)
# How much of a column must be published states, so that it counts as one of send states.
_MOSTLY = 0.9
# Numbers of one's own are often in steps of ten, such as 10, 20, 30.
_STEP = 10

# Words

_SENT_IS_NOT_DELIVERED = (
    f"sent is not yet delivered, since the receiving server may return it; {_DELIVERED} if nothing else reports "
    "deliveries"
)
# What each word means, in English, French, Dutch and German: nouns, participles, plurals; compared without case,
# accents and punctuation. An umlaut may be written with or without its e.
_WORDS: Sequence[tuple[str | None, str, str]] = (
    (
        _DELIVERED,
        "the receiving server accepted it; null if it only means that it was handed over for sending",
        "delivered delivery deliveries "
        "livre livree livres livrees livraison livraisons delivre delivree delivres remis remise distribue distribuee "
        "afgeleverd afgeleverde aflevering afleveringen geleverd levering bezorgd bezorging "
        "zugestellt zustellung zustellungen geliefert ausgeliefert auslieferung",
    ),
    (
        _OPENED,
        "an open, which Selligent calls a view",
        "view views viewed open opens opened opening openings read "
        "ouverture ouvertures ouvert ouverte ouverts ouvertes lu lue lecture lectures vu vue vues "
        "geopend geopende opent openingen gelezen bekeken weergave weergaven "
        "geoeffnet geoffnet oeffnung offnung oeffnungen offnungen gelesen angesehen ansicht ansichten",
    ),
    (
        _CLICKED,
        "a click on a link",
        "click clicks clicked clickthrough clickthroughs linkclick linkclicks linkclicked clicklink "
        "clic clics clique cliquee cliques cliquees cliclien "
        "klik kliks klikken geklikt aangeklikt doorklik doorgeklikt linkklik "
        "klick klicks geklickt angeklickt linkklick linkklicks",
    ),
    (
        _SPAM,
        "a complaint of a person; null if a filter found spam",
        "complaint complaints complain complained spam spamcomplaint spamcomplaints spamreport spamreports "
        "spamreported markedasspam markasspam abuse "
        "plainte plaintes plaintespam signalespam signalecommespam marquecommespam "
        "klacht klachten spamklacht spamklachten gemarkeerdalsspam spamgemeld "
        "beschwerde beschwerden spambeschwerde spambeschwerden alsspammarkiert spammeldung spamgemeldet",
    ),
    (
        _BOUNCED,
        "the receiving server returned it",
        "bounce bounces bounced bouncing hardbounce hardbounces hardbounced softbounce softbounces softbounced "
        "bouncehard bouncesoft "
        "rebond rebonds rebondi rebondie rebondis rebonddur rebondmou rebonddefinitif rebondtemporaire "
        "gebounced gebouncet hardebounce zachtebounce onbestelbaar teruggestuurd "
        "gebounct unzustellbar unzustellbarkeit ruecklaeufer rucklaufer",
    ),
    (
        _UNSUBSCRIBED,
        "a person left a list; null if the program removed the person",
        "optout optouts optedout unsubscribe unsubscribes unsubscribed unsubscription unsubscriptions unsub unsubs "
        "desabonnement desabonnements desabonne desabonnee desabonnes desinscription desinscriptions desinscrit "
        "desinscrite desinscrits "
        "uitschrijving uitschrijvingen uitschrijven uitgeschreven afmelding afmeldingen afmelden afgemeld "
        "abmeldung abmeldungen abgemeldet abmelden abbestellung abbestellungen abbestellt ausgetragen austragung",
    ),
    (
        None,
        _SENT_IS_NOT_DELIVERED,
        "sent send sends sending dispatched "
        "envoi envois envoye envoyee envoyes envoyees expedie expediee expedition "
        "verzonden verzending verzendingen verstuurd verstuurde gestuurd "
        "gesendet versendet versandt versand gesandt verschickt sendung",
    ),
)
_BY_WORD = {word: Proposal(event, why) for event, why, words in _WORDS for word in words.split()}
# What may stand before or behind the word: `EMAIL_VIEW`, `Mail geopend`.
_AROUND = re.compile("^(?:email|mail|courriel)|(?:email|mail|courriel)s?$")


def known_word(value: str) -> Proposal | None:
    """The proposal for a word, whatever its case and accents; None for any other text."""
    word = plain(value)
    return _BY_WORD.get(word) or _BY_WORD.get(_AROUND.sub("", word))


def proposal_of_name(name: str) -> tuple[str, str] | None:
    """The word in the name of a file that names the event of all its rows, and the event; None if it names several."""
    found = {word: known.event for word in re.findall("[A-Za-z]+", name) if (known := known_word(word)) is not None}
    events = {event for event in found.values() if event is not None}
    if len(events) != 1 or len(found) != len([event for event in found.values() if event is not None]):
        return None
    return next((word, event) for word, event in found.items() if event is not None)


def proposals(column: Column) -> Mapping[str, Proposal]:
    """The proposals for the codes of a column that has send states, or mostly known words; other codes are unknown."""
    if are_send_states(column):
        return {value: _BY_STATE[value] for value in column.distinct if value in _BY_STATE}
    words = {value: known for value in column.distinct if (known := known_word(value)) is not None}
    sounding = len(words) + len(EVENTS_BY_NAME.keys() & column.distinct.keys())
    # A single known word can be by accident, such as OPEN beside CLOSED.
    return words if sounding * 2 > len(column.distinct) else {}


def are_send_states(column: Column) -> bool:
    """Whether the numbers of a column are send states, by its name and by their distribution.

    Small numbers alone mean nothing, nor does a single one. Most emails are sent, so 30 must be the most frequent, and
    few numbers may be unknown.
    """
    if not vocabulary.is_send_state(column.name) or len(column.distinct) < 2:
        return False
    if not all(_NUMBER.fullmatch(value) for value in column.distinct) or _are_steps(column.distinct):
        return False
    known = sum(count for value, count in column.distinct.items() if value in _BY_STATE)
    most_frequent = max(column.distinct.values())
    return known >= _MOSTLY * len(column.values) and column.distinct[str(_SENT)] == most_frequent


def _are_steps(values: Iterable[str]) -> bool:
    return all(int(value) % _STEP == 0 for value in values)
