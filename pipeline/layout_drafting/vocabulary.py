"""The words in the names of an export's columns: Selligent's own, and those of several languages.

A name is compared without case, accents and punctuation: `Journey-Name` is `journeyname`. The end of a name decides:
`LIST_USER_ID` is the id of a user, `USER_LIST_ID` that of a list.
"""

import re
from collections.abc import Callable

from pipeline.naming import plain

_ID = "(?:id|ids|key|nr|no|num|number|numero|nummer|code|ref|guid|uuid|cle|clave|sleutel|schluessel)"
_NAME = "(?:name|naam|nom|nombre|nome|title|titel|titre|titulo|label|description|omschrijving|bezeichnung|libelle)"
_OF = "(?:de|du|des|del|della|da|do|van|la|l)?"
# Selligent calls a campaign a journey, a link a sensor or probe, an email a content, mail or message.
_SUBJECTS = {
    "list": "(?:audiencelist|userlist|mailinglist|list|audience|lijst|doelgroep|listen|liste|lista|verteiler)",
    "link": "(?:link|sensor|probe|lien|enlace|koppeling|vinculo|collegamento)",
    "campaign": "(?:campaign|journey|campagne|kampagnen|kampagne|campana|campanha|campagna|traject|parcours)",
    "email": (
        "(?:email|mail|message|content|actionmail|mailing|bericht|nachrichten|nachricht|inhalts|inhalt|courriel|contenu|mensaje|messaggio|"
        "template)"
    ),
}
_CUSTOMER = (
    "(?:customer|cust|client|klant|kunde|kunden|cliente|crm|external|extern|master|loyalty|member|lid|abonne|"
    "subscriber|contact|person|profile|account|relatie)"
)
_USER = "(?:user|selligentuser|selligent|gebruiker|benutzer|utilisateur|usuario|utente)"
_EVENT = "(?:event|interaction|action|activity|gebeurtenis|interactie|actie|evenement|ereignis|evento|aktion|accion)"
_HAPPENED = (
    f"(?:{_EVENT}|click|clicked|klik|clic|open|opened|view|viewed|bounce|bounced|optout|unsubscribe|unsubscribed|"
    "complaint|spam|delivery|delivered)"
)
_WHEN = "(?:dt|ts|date|datetime|time|timestamp|datum|tijd|tijdstip|zeit|zeitpunkt|fecha|heure|data|moment|at|on)"
_NOT_WHEN = (
    "(?:creat|aangemaakt|modif|updat|chang|load|export|import|expir|subscribed|inschrijf|registr|signup|valid|start|"
    "enddt|enddate)"
)
_BIRTH = "birth|geboort|geburt|naissance|nacimiento|^dob"

_IS_ID = {subject: re.compile(f"{words}{_ID}$|^{_ID}{_OF}{words}$") for subject, words in _SUBJECTS.items()}
_IS_NAME = {
    subject: re.compile(f"{words}(?:{_NAME}|text)$|^{_NAME}{_OF}{words}$") for subject, words in _SUBJECTS.items()
}
_IS_BARE = {subject: re.compile(f"{words}s?$") for subject, words in _SUBJECTS.items()}


def _matcher(pattern: str) -> Callable[[str], bool]:
    return lambda name: re.search(pattern, plain(name)) is not None


# Whether a column's name is that of …
is_email_subject = _matcher(
    "(?:subject|onderwerp|betreff|objet|sujet|asunto|oggetto|assunto)(?:line|regel|zeile|text|mail|email)?$"
)
is_sender = _matcher("^(?:from|sender|reply|replyto|afzender|absender|expediteur|remitente)|(?:from|sender)$")
_is_any_address = _matcher("(?:email|mail|mel|courriel|correo)(?:address|addr|adres|adresse|direccion)?$")
is_customer_key = _matcher(f"{_CUSTOMER}{_ID}$|^{_ID}{_OF}{_CUSTOMER}$")  # the customer's own key of a person
is_user_id = _matcher(f"{_USER}{_ID}$|^{_ID}{_OF}{_USER}$|^uid$")  # may be Selligent's own
is_send_id = _matcher(  # one sending to one person
    f"(?:inqueue|queue|send|sent|sending|dispatch|delivery|envoi|versand|verzending|envio){_ID}$|^{_ID}{_OF}(?:envoi|envio)$"
)
is_row_id = _matcher(
    "^(?:id|guid|uuid)$|(?:row|record|log|line|event|interaction|action|activity)(?:id|key|guid|uuid)$"
)
is_link_url = _matcher(  # where a clicked link leads
    "^(?:click|clicked|klik|clic|link|target|landing|destination|redirect|sensor|probe|lien)?(?:page)?(?:url|uri|href)$"
    "|^(?:url|uri)(?:de|du|del|da)?(?:link|lien|clic|click|enlace|sensor|probe)$"
)
is_user_agent = _matcher("^(?:http|client|browser)?useragent(?:string)?$")
is_ip = _matcher("^(?:client|user|remote|customer|visitor|open|click)?ip(?:address|addr|adres|adresse|v4)?$")
is_bot = _matcher("^(?:is)?(?:bot|robot|machine|nonhuman|automated)(?:flag|click|open|view|yn|ind|indicator)?$")
is_send_state = _matcher(  # the state of one sending; not that of a person, a list or an order
    "^(?:send|sent|sending|mail|email|message|delivery|dispatch|queue|inqueue|action|actionqueue|bericht|nachricht|"
    "envoi|versand|verzend|verzending|zustell)?(?:state|status|etat|statut|toestand|zustand)(?:code|id)?$"
    "|^(?:etat|statut)(?:de|d|del)?(?:l)?(?:envoi|email|courriel|message)$"
)
# Whether a value sounds like an event. Only to find the column of codes: the meaning of a code is never guessed.
is_code_word = _matcher(
    "^(?:email|mail)?(?:view|open|read|click|clic|klik|sent|send|deliver|bounce|hardbounce|softbounce|"
    "unsub|optout|complain|spam|markedasspam|marked|linkclick|geopend|uitgeschreven|ouvert|ouverture|desabonn|"
    "geklickt|geoeffnet|abgemeldet|fwd|forward)"
    "|^(?:opn|opnd|clk|clck|dlv|dlvd|dlvrd|bnc|bncd|uns|unsb|cpl|cmpl|snd|snt)$"
)
is_description = _matcher(  # what describes an event, a person or something else, with few different values
    "device|platform|browser|format|version|bounce|reason|category|segment|brand|shop|store|channel|currency|region|"
    "domain|source|medium|consent|(?:^|mobile|client|device)os$"
    "|(?:order|subscri|user|contact|list|profile|account|member|customer|payment|cart|opt).*(?:state|status)"
)
_IS_CODE = {
    3: re.compile(f"^{_EVENT}(?:type|name|code|id|kind|naam|nom|typ)?$|^type{_OF}{_EVENT}$"),
    2: re.compile("^(?:state|status|etat|statut|toestand|zustand|estado|stato)(?:code|id|name)?$|(?:state|status)$"),
    1: re.compile("^(?:type|code|kind|typ|soort|art|tipo)$"),
}

_WHOSE = "(?:user|customer|cust|contact|klant|client|kunde|kunden|person|profile|subscriber|member|home|main|primary)?"
_TRAITS = {
    "firstName": "firstname|fname|givenname|voornaam|prenom|vorname|nombredepila",
    "lastName": (
        "lastname|lname|surname|familyname|achternaam|familienaam|nomdefamille|nachname|familienname|apellidos?|cognome"
    ),
    "name": "fullname|displayname|volledigenaam|nomcomplet",
    "gender": "gender|sex|sexe|geslacht|geschlecht|genero|sesso",
    "salutation": "salutation|civilite|aanhef|aanspreking|anrede",
    "birthday": f"(?:date(?:of|de)?)?(?:{_BIRTH})\\w*",
    "phone": (
        "(?:mobile|cell|tele)?phone(?:number|nr|no)?|mobile|mobiel|gsm|telefoon(?:nummer)?|telefon(?:nummer)?|tel|handy"
    ),
    "language": "lang|language|languagecode|taal|taalcode|langue|sprache|idioma|lingua|locale",
    "country": "country|countrycode|land|landcode|pays|pais|paese",
    "city": "city|town|stad|gemeente|woonplaats|ville|stadt|ort|wohnort|ciudad|citta",
    "postalCode": "zip|zipcode|postcode|postalcode|codepostal|plz|postleitzahl",
    "company": "company|companyname|bedrijf|bedrijfsnaam|societe|firma|entreprise|empresa",
}
_IS_TRAIT = {trait: re.compile(f"^{_WHOSE}(?:{words})$") for trait, words in _TRAITS.items()}


def id_of(name: str) -> str | None:
    """The subject of an id by its column's name: list, link, campaign or email."""
    return _subject(_IS_ID, name)


def name_of(name: str) -> str | None:
    """The subject of a name by its column's name."""
    return _subject(_IS_NAME, name)


def bare_subject(name: str) -> str | None:
    """The subject of a column whose name is neither that of an id nor of a name."""
    return _subject(_IS_BARE, name)


def subject_in(text: str) -> str | None:
    """The subject in a file's name."""
    for word in re.findall("[a-z]+", text.casefold()):
        if subject := bare_subject(word):
            return subject
    return None


def _subject(patterns: dict[str, re.Pattern[str]], name: str) -> str | None:
    return next((subject for subject, pattern in patterns.items() if pattern.search(plain(name))), None)


def is_address(name: str) -> bool:
    """Whether a column's name is that of a person's e-mail address."""
    return _is_any_address(name) and not is_sender(name)


def when(name: str) -> int:
    """How likely a date-time of this name is the event's: 3 to 0, -1 for that of a record, -2 for a birthday."""
    text = plain(name)
    if re.search(_BIRTH, text):
        return -2
    if re.search(f"(?<!un){_NOT_WHEN}", text):
        return -1
    if re.search(f"{_HAPPENED}{_WHEN}$|^{_WHEN}{_OF}{_HAPPENED}$|^timestamp$|^occurred", text):
        return 3
    return 2 if re.search(f"^{_WHEN}+$", text) else 1 if re.search(f"{_WHEN}$|^{_WHEN}", text) else 0


def trait_of(name: str) -> str | None:
    """The trait of a person that a column of this name has, in Segment's words where it has one ("Spec: Identify")."""
    text = plain(name)
    return next((trait for trait, pattern in _IS_TRAIT.items() if pattern.search(text)), None)


def code(name: str) -> int:
    """How likely a column of this name has the code of the event: 3 to 0."""
    if is_description(name):
        return 0
    return next((rank for rank, pattern in _IS_CODE.items() if pattern.search(plain(name))), 0)
