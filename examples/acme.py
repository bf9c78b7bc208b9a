"""ACME, the made-up shop of the examples: names of people, its lists, campaigns and links, and its emails."""

from typing import NamedTuple

FIRST_NAMES = [
    *("Zoë", "Åsa", "Jürgen", "Chloé", "Noël", "Inès", "Björn", "Lotte", "François", "Mieke", "Anaïs", "Daan"),
    *("Élodie", "Joël", "Jef"),
]
LAST_NAMES = [
    *("Peeters", "Dubois", "Janssens", "Lindström", "Lefèvre", "Maes", "Müller", "Claes", "Gérard", "Wouters"),
    *("Desmet", "Núñez"),
]
DOMAINS = ("example.com", "example.org", "example.net")

NEWSLETTER_NL, NEWSLETTER_FR, PRIZE_DRAW, LOYALTY = "12", "14", "31", "50"
LISTS = {
    NEWSLETTER_NL: "Nieuwsbrief",
    NEWSLETTER_FR: "Lettre d'été",
    PRIZE_DRAW: 'Wedstrijd "Win een fiets"',
    LOYALTY: "Loyalty, gold and silver",
}
CAMPAIGNS = {
    "5120": "NL_2024_06_weekly",
    "5121": "FR_2024_06_soldes",
    "5130": "NL_2024_06_wedstrijd",
    "6200": "Order mails",
    "6210": "Welcome",
    "7001": "Loyalty, June 2024",
}
RENAMED = {"6200": "Order & delivery mails"}
LINKS = {
    "2071": 'hero "shop now"',
    "2072": "footer | préférences",
    "2080": "Découvrir l'été",
    "3051": "track my parcel",
    "3052": 'banner "free delivery"',
    "3055": "rate your order",
    "4001": "my points, my gifts",
}
# Several links lead to one page.
PAGES = ("shop", "preferences", "shop", "parcel", "shop", "rate", "points")
URLS = {link: f"https://www.acme.example/{page}" for link, page in zip(LINKS, PAGES, strict=True)}
DEVICES = ("phone", "desktop", "phone", "tablet", "desktop")


class Mail(NamedTuple):
    """An email as it was designed once, with its links."""

    id: str
    subject: str
    campaign: str
    links: tuple[str, ...]


WEEKLY = Mail("7743", "Zoë & Åsa | onze zomerfavorieten", "5120", ("2071", "2072"))
SALE = Mail("7744", "Soldes d'été: -30 %", "5121", ("2080", "2072"))
LAST_CHANCE = Mail("7745", 'Laatste kans: "alles moet weg" | nog 2 dagen', "5120", ("2071", "2072"))
SALE_AGAIN = Mail("7746", "Déjà vu ? Encore -10 % | dès aujourd'hui", "5121", ("2080", "2072"))
BICYCLE = Mail("7750", 'Win een fiets: "jij maakt kans"', "5130", ("2071",))
ORDERED = Mail("8301", "Thank you for your order, and see you soon", "6200", ("3051", "3052"))
SHIPPED = Mail("8302", "Ton colis est en route", "6200", ("3051", "3055"))
WELCOME = Mail("8303", "Welkom bij ACME, fijn dat je er bent", "6210", ("3052",))
REVIEW = Mail("8304", 'How was it? Tell us, "stars" and all', "6200", ("3055",))
POINTS = Mail("9101", "Your points, Zoë: 1,250 ☀", "7001", ("4001",))
GOLD = Mail("9102", 'Nearly there, Åsa: "gold" is waiting', "7001", ("4001",))
MAILS = (WEEKLY, SALE, LAST_CHANCE, SALE_AGAIN, BICYCLE, ORDERED, SHIPPED, WELCOME, REVIEW)
