"""Twelve exports as integrators get them without a description, and the layout that each needs in the end.

They are small and made up by hand: formats, encodings, names in several languages, and columns that mislead.
"""

import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

FINAL_LAYOUTS = Path(__file__).parent / "final_layouts"

Content = bytes | Callable[[Path], bytes]


@dataclass(frozen=True)
class UnknownExport:
    """An export, the number of its rows, and the name of the layout that a person would end with."""

    name: str
    content: Content
    rows: int
    layout: str

    def written_to(self, folder: Path) -> bytes:
        return self.content(folder) if callable(self.content) else self.content

    @property
    def final(self) -> dict[str, Any]:
        """The layout, as in the folder `final_layouts`."""
        return yaml.safe_load((FINAL_LAYOUTS / f"{self.layout}.yml").read_text("utf-8"))


def _rows(template: str, *values: tuple[object, ...]) -> str:
    return "".join(template.format(*each) + "\n" for each in values)


def _zipped(name: str, content: bytes) -> bytes:
    with io.BytesIO() as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
        return target.getvalue()


DUTCH = UnknownExport(
    # Semicolons, Latin-1, letters as codes, other columns with few short values, and a date of the record.
    "BRUG_handelingen_20240611.csv",
    (
        "KLANTNUMMER;E-MAILADRES;TAAL;CAMPAGNE_ID;CAMPAGNENAAM;BERICHT_ID;ONDERWERP;HANDELING;KANAAL;LINK_ID;LINKNAAM;"
        "AANGEMAAKT_OP;TIJDSTIP\n"
        + _rows(
            "K-{};p{}@voorbeeld.be;{};5120;Zomer één;7743;Ontdek onze café's;{};mail;{};11/06/2024 05:00:00;"
            "{}/06/2024 09:{}:10",
            *(
                (
                    n % 7,
                    n % 7,
                    "NL" if n % 3 else "FR",
                    "OKUB"[n % 4],
                    "2071;héro" if n % 4 == 1 else ";",
                    10 + n,
                    10 + n,
                )
                for n in range(16)
            ),
        )
    ).encode("latin-1"),
    16,
    "brug_handelingen",
)

SEND_LOG = UnknownExport(
    # Tabs and a byte order mark; published send states; the row id is unique, and so is the id of the send.
    "ACME_MAILLOG_2024-06-11_0700.txt",
    b"\xef\xbb\xbf"
    + (
        "ID\tLISTID\tUSERID\tCAMPAIGNID\tMAILID\tINQUEUEID\tMAIL\tSTATE\tPRIORITY\tSENT_DT\n"
        + _rows(
            "{}\t12\t{}\t5120\t7743\t{}\tp{}@example.com\t{}\t{}\t2024-06-11 07:00:{}.010",
            *(
                (9912 + n, 884300 + n % 9, 551200 + n, n % 9, "24" if n % 6 == 5 else "30", 1 + n % 2, 10 + n)
                for n in range(18)
            ),
        )
    ).encode(),
    18,
    "acme_maillog",
)

NESTED_JSON = UnknownExport(
    # One object per line, with objects and arrays inside; the code has a path.
    "stream-20240611T0600.ndjson",
    _rows(
        '{{"type": "email.{}", "contact_key": "C-{}", "email": "p{}@example.com", "journey_id": 5120,'
        ' "journey_name": "Wk 24", "message_id": 7743, "subject": "Été -30 %", "link": {},'
        ' "device": {{"os": "{}", "kind": "phone"}}, "tags": ["a", "b"], "is_bot": {},'
        ' "occurred_at": "2024-06-11T07:15:{}+02:00"}}',
        *(
            (
                ("opened", "clicked", "bounced")[n % 3],
                n % 5,
                n % 5,
                '{"id": 2071, "url": "https://example.com/a"}' if n % 3 == 1 else "null",
                ("iOS", "Android")[n % 2],
                ("true", "false")[n % 2],
                10 + n,
            )
            for n in range(15)
        ),
    ).encode(),
    15,
    "stream",
)


def _parquet(folder: Path) -> bytes:
    """Written by a data platform: types, a struct, and the time of the load beside that of the event."""
    path = folder / "written.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 'C-' || i % 8 AS customer_id, 'p' || i % 8 || '@example.com' AS email_address, "
            "5120 AS campaign_key, 'Wk 24' AS campaign_label, 7743 AS mail_id, "
            "['VIEW', 'CLICK', 'COMPLAINT'][1 + i % 3] AS interaction_kind, 12.5 * i AS basket, "
            "{'os': 'iOS', 'width': 390} AS device, TIMESTAMPTZ '2024-06-11 07:15:10+02' + to_seconds(i) AS event_ts, "
            "TIMESTAMP '2024-06-12 03:00:00' AS loaded_ts, DATE '2024-06-11' AS dt "
            f"FROM range(24) AS r(i)) TO '{path}' (FORMAT parquet)"
        )
    return path.read_bytes()


PARQUET = UnknownExport(
    "interactions_2024-06-11.parquet",
    _parquet,
    24,
    "interactions",
)

GZIPPED_OPENS = UnknownExport(
    # One event per file, packed; a person's address only, and a user agent with commas in quotes.
    "ACME_opens_20240611_0001.csv.gz",
    gzip.compress(
        (
            "EMAIL,CAMPAIGN,CAMPAIGN_NAME,MAILING_ID,SUBJECT,IP,USER_AGENT,OPENED_AT\n"
            + _rows(
                'p{}@example.com,5120,Wk 24,7743,"Summer, -30%",8.8.8.{},"Mozilla/5.0 (X11; Linux, like Gecko)",'
                "2024-06-11T07:{}:10Z",
                *((n % 6, n, 10 + n) for n in range(12)),
            )
        ).encode()
    ),
    12,
    "acme_opens",
)

HEADERLESS = UnknownExport(
    # No header, pipes, and codes of two letters.
    "exp_20240611_clk.dat",
    _rows(
        "C-{}|p{}@example.com|5120|NL_2024_wk24|{}|https://shop.example.com/?p={}|2024-06-11 09:{}:10",
        *((n % 5, n % 5, ("OP", "CL", "SP")[n % 3], n, 10 + n) for n in range(15)),
    ).encode(),
    15,
    "exp_clk",
)

ORDERS_BESIDE = UnknownExport(
    # Many dates, decimals with a comma, a status that is not an event's, and an opaque column of codes.
    "crm_feed_240611.csv",
    (
        "Record;Member no;Signup date;Last order date;Order value;Order status;Gender;Kind;Sent on;"
        "Action date;Campaign code\n"
        + _rows(
            "{};M{};01.02.2020;{}.05.2024;{},50;{};{};{};10.06.2024 18:00:00;{}.06.2024 09:15:10;WK24",
            *(
                (
                    n + 1,
                    100 + n % 6,
                    10 + n,
                    n,
                    ("OPEN", "PAID")[n % 2],
                    "MF"[n % 2],
                    ("OPN", "CLK", "UNS")[n % 3],
                    10 + n,
                )
                for n in range(14)
            ),
        )
    ).encode(),
    14,
    "crm_feed",
)

AMERICAN = UnknownExport(
    # UTF-16 in a zip, everything quoted, month first with AM and PM.
    "US_unsubs_20240613.zip",
    _zipped(
        "US_unsubs_20240613.csv",
        (
            '"Subscriber Key","Email Address","List ID","List Name","Unsub Reason","Unsub Date"\r\n'
            + _rows(
                '"S-{}","p{}@example.com","12","Deals ""daily""","{}","6/13/2024 {}:15:10 {}"',
                *(
                    (n, n, ("too many", "other", "never signed up")[n % 3], 1 + n % 12, ("AM", "PM")[n % 2])
                    for n in range(14)
                ),
            )
        ).encode("utf-16"),
    ),
    14,
    "us_unsubs",
)

FRENCH = UnknownExport(
    # A delimiter of two characters, French names and words, NULL for nothing.
    "FR_evenements_20240611_061500.txt",
    (
        "ID_CLIENT||ADRESSE_MAIL||ID_CAMPAGNE||LIBELLE_CAMPAGNE||ID_MESSAGE||OBJET||EVENEMENT||MOTIF||ID_LIEN||URL_LIEN||DATE_EVENEMENT\n"
        + _rows(
            "F{}||p{}@exemple.fr||5120||Été||7743||Soldes d'été||{}||2024-06-11T09:{}:10.5",
            *(
                (
                    n % 5,
                    n % 5,
                    (
                        "Ouverture||NULL||NULL||NULL",
                        "Clic||NULL||2071||https://exemple.fr/a",
                        "Rebond||boîte pleine||NULL||NULL",
                        "Désabonnement||NULL||NULL||NULL",
                    )[n % 4],
                    10 + n,
                )
                for n in range(16)
            ),
        )
    ).encode(),
    16,
    "fr_evenements",
)

CONTACTS = UnknownExport(
    # A lookup of contacts, with what a person has: traits.
    "ACME_profiles_20240611.csv",
    (
        "LIST_ID;USER_ID;CUSTOMER_NO;MAIL;VOORNAAM;ACHTERNAAM;GESLACHT;TAAL;GEBOORTEDATUM;PUNTEN;CREATED_DT\n"
        + _rows(
            "12;{};C-{};p{}@example.com;Zoë;Peeters;{};{};1980-02-{};{};2019-03-04 10:00:00",
            *((884300 + n, n, n, "VM"[n % 2], ("nl", "fr")[n % 2], 10 + n, 100 * n) for n in range(15)),
        )
    ).encode("cp1252"),
    15,
    "acme_profiles",
)

LINKS = UnknownExport(
    # A lookup of links, with other texts and dates beside the names.
    "sensors.txt",
    (
        "SENSOR_ID\tSENSOR_NAME\tMAIL_ID\tTARGET_URL\tCREATED_DT\n"
        + _rows(
            "{}\thero {}\t7743\thttps://example.com/{}\t2024-06-01 10:00:00",
            *((2071 + n, n, n) for n in range(12)),
        )
    ).encode(),
    12,
    "sensors",
)

OPAQUE = UnknownExport(
    # A column of codes that neither its name nor its values give away, beside others with few values.
    "SMC_E4711_20240611_063000_18.csv",
    (
        '"UID";"LST";"JRN";"CNT";"TP";"DEV";"TS"\n'
        + _rows(
            '"{}";"12";"5120";"7743";"{}";"{}";"11-06-2024 09:{}:10"',
            *((884300 + n % 9, ("V", "C", "B")[n % 3], ("mobile", "desktop")[n % 2], 10 + n) for n in range(18)),
        )
    ).encode(),
    18,
    "smc_e4711",
)

UNKNOWN_EXPORTS = (
    DUTCH,
    SEND_LOG,
    NESTED_JSON,
    PARQUET,
    GZIPPED_OPENS,
    HEADERLESS,
    ORDERS_BESIDE,
    AMERICAN,
    FRENCH,
    CONTACTS,
    LINKS,
    OPAQUE,
)
