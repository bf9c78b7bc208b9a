"""Write the example exports: three mornings of a made-up shop, ACME, as Selligent would export them.

    python examples/make_exports.py

rewrites `examples/exports/`, with the same content each time. All people are invented. A file is written in the morning
and contains the day before, local time. It starts with the last hour of the file before (not in the loyalty programme).

Special rows, and their number in the files of 11, 12 and 13 June (loyalty: 12 and 13):

| rows                                 | interactions  | clicks  | bounces | loyalty | become              |
| ------------------------------------ | ------------- | ------- | ------- | ------- | ------------------- |
| too few columns, half a JSON line    | 2, 1, 2       | 1, 0, 1 | 0, 0, 0 | 1, 1    | rejected            |
| a code that no layout lists: FWD     | 1, 1, 1       | none    | none    | 0, 0    | rejected            |
| a date-time that does not exist      | 1, 2, 1       | 1, 0, 1 | 0, 1, 0 | 1, 0    | rejected            |
| no key, no email, no user of a list  | 1, 2, 1       | 0, 2, 0 | 0, 0, 0 | 1, 1    | rejected            |
| sent: none of the six events         | 840, 560, 360 | none    | none    | 0, 0    | skipped, counted    |
| the last hour of the file before     | 0, 23, 15     | 0, 6, 9 | 0, 0, 0 | 0, 0    | no second event     |
| identical rows, two real clicks      | 0, 2, 1       | 0, 1, 0 | 0, 0, 0 | 0, 0    | two events a pair   |
| bounces that come two days late      | 0, 0, 2       | none    | 0, 0, 1 | 0, 0    | events of their day |
| an address, but no customer key      | 14, 11, 6     | 4, 4, 3 | 1, 1, 1 | 0, 0    | anonymous persons   |
| neither, but a user of a list        | 0, 121, 0     | none    | none    | 0, 0    | found in contacts   |
| opened or clicked by a machine       | 84, 57, 36    | unknown | none    | 0, 0    | events with is_bot  |

The last three count events, not emails. One pair of the interactions of 12 June is in the hour that is repeated: it
is the pair of 13 June. Campaign 6200 has a new name in the lookup of 13 June; email 8304 has a subject only in that of
13 June, though its clicks and bounces begin in the files before.
"""

import csv
import gzip
import io
import json
import random
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

from acme import (
    BICYCLE,
    CAMPAIGNS,
    DEVICES,
    DOMAINS,
    FIRST_NAMES,
    GOLD,
    LAST_CHANCE,
    LAST_NAMES,
    LINKS,
    LISTS,
    LOYALTY,
    MAILS,
    NEWSLETTER_FR,
    NEWSLETTER_NL,
    ORDERED,
    POINTS,
    PRIZE_DRAW,
    RENAMED,
    REVIEW,
    SALE,
    SALE_AGAIN,
    SHIPPED,
    URLS,
    WEEKLY,
    WELCOME,
    Mail,
)

EXPORTS = Path(__file__).parent / "exports"
SEED = 20240611
EXPORT_DATES = (date(2024, 6, 11), date(2024, 6, 12), date(2024, 6, 13))
DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)

# The file of the clicks leaves this link's name out; only the lookup of the links has it.
NAMELESS_LINK = "3055"
# What the codes of the log mean to Segment; it knows no SENT.
EVENT_NAMES = {
    "DELIVERED": "Email Delivered",
    "VIEW": "Email Opened",
    "CLICK": "Email Link Clicked",
    "COMPLAINT": "Email Marked as Spam",
    "BOUNCE": "Email Bounced",
    "OPTOUT": "Email Unsubscribed",
}

LOG = [
    *("LIST_ID", "USER_ID", "CUSTOMER_KEY", "MAIL", "JOURNEY_ID", "JOURNEY_NAME", "CONTENT_ID", "SUBJECT"),
    *("INTERACTION", "LINK_ID", "LINK_NAME", "IS_BOT", "INTERACTION_DT", "LINK_URL", "DEVICE", "BOUNCE_TYPE"),
]
CLICKS = [
    *("CUSTOMER_KEY", "MAIL", "CAMPAIGN_ID", "CAMPAIGN_NAME", "MAIL_ID", "PROBE_ID", "PROBE_NAME", "CLICK_DT", "URL"),
]
BOUNCES = ["CUSTOMER_KEY", "MAIL", "CAMPAIGN_ID", "MAIL_ID", "BOUNCE_TYPE", "BOUNCE_DT"]
TRACK = [
    *("user_id", "event", "email_id", "email_subject", "campaign_id", "campaign_name", "link_id", "link_name"),
    *("list_id", "list_name", "timestamp", "link_url", "device"),
]

Row = list[str]
# Other values for some columns of a row, or the number of columns after which it breaks off.
Flaw = dict[str, str] | int
UNKNOWN: Flaw = {"INTERACTION": "FWD"}
NO_PERSON: Flaw = {"LIST_ID": "", "USER_ID": "", "CUSTOMER_KEY": "", "MAIL": "", "user_id": ""}
UNREADABLE: Flaw = {
    "INTERACTION_DT": "2024-02-31T08:15:00",
    "CLICK_DT": "31-02-2024 10:15:00",
    "BOUNCE_DT": "31-02-2024 03:40:12",
    "timestamp": "2024-06-31T11:02:09+02:00",
}


class Person(NamedTuple):
    """A contact. Selligent's own id is unique within its list only."""

    list_id: str
    selligent_id: str
    key: str
    name: str
    email: str


class Event(NamedTuple):
    """An event of a mail, with Selligent's name for it, at a local time."""

    at: datetime
    person: Person
    mail: Mail
    code: str
    link: str = ""
    bot: bool = False


def members_of(rng: random.Random, list_id: str, count: int, first_key: int, guests: int) -> list[Person]:
    """A list's members; the last ones are guests, without a customer key."""
    members = []
    for position in range(count):
        name = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        email = f"{plain.lower().replace(' ', '.')}{first_key + position}@{rng.choice(DOMAINS)}"
        key = f"C-{first_key + position}" if position < count - guests else ""
        members.append(Person(list_id, str(884001 + position), key, name, email))
    return members


def funnel(rng: random.Random, mail: Mail, sent_at: datetime, people: Iterable[Person]) -> Iterator[Event]:
    """The events of one mailing: most mails arrive, a third is opened, some are clicked, a few are complaints."""
    for person in people:
        at = sent_at + rng.randrange(900) * SECOND
        yield Event(at, person, mail, "SENT")
        if rng.random() < 0.02:
            yield Event(at + rng.randint(1, 120) * SECOND, person, mail, "BOUNCE")
            continue
        at += rng.randint(2, 60) * SECOND
        yield Event(at, person, mail, "DELIVERED")
        if rng.random() < 0.07:  # a mail scanner looks first, and sometimes follows the links
            at += rng.randint(1, 5) * SECOND
            yield Event(at, person, mail, "VIEW", bot=True)
            if rng.random() < 0.2:
                yield from (Event(at + SECOND, person, mail, "CLICK", link, bot=True) for link in mail.links)
        reads, clicks = rng.random() < 0.38, rng.random() < 0.28
        at += int(60 * 2 ** rng.uniform(0, 10.5)) * SECOND  # a minute to a day later, mostly soon
        if reads:
            yield Event(at, person, mail, "VIEW")
            if rng.random() < 0.25:
                yield Event(at + rng.randint(600, 30_000) * SECOND, person, mail, "VIEW")
            if rng.random() < 0.02:
                yield Event(at + rng.randint(20, 90) * SECOND, person, mail, "OPTOUT")
            if rng.random() < 0.01:
                yield Event(at + rng.randint(3, 20) * SECOND, person, mail, "COMPLAINT")
        if clicks and (reads or rng.random() < 0.05):  # where images are off, a click comes without a view
            yield Event(at + rng.randint(5, 120) * SECOND, person, mail, "CLICK", rng.choice(mail.links))


def at_all_hours(rng: random.Random, customers: Sequence[Person], a_day: int, code: str) -> Iterator[Event]:
    """Clicks on, or bounces of, mails that follow an order; the review mail is new on the second day."""
    for export_date in EXPORT_DATES:
        mails = (ORDERED, SHIPPED, WELCOME, *([REVIEW] if export_date > EXPORT_DATES[0] else []))
        for _ in range(a_day):
            at = datetime.combine(export_date - DAY, time()) + int(rng.triangular(6, 24, 23) * 3600) * SECOND
            mail, person = rng.choice(mails), rng.choice(customers)
            yield Event(at, person, mail, code, rng.choice(mail.links) if code == "CLICK" else "")


def apart(events: Iterable[Event]) -> list[Event]:
    """Events ordered by time, no two identical by accident: one of them happens a second later."""
    taken: dict[tuple[object, ...], Event] = {}
    for event in sorted(events):
        while event[:5] in taken:
            event = event._replace(at=event.at + SECOND)
        taken[event[:5]] = event
    return sorted(taken.values())


def twice(events: Sequence[Event], first: datetime, end: datetime) -> list[Event]:
    """The events, with the first click of a person in this span twice: two real clicks within a second."""
    clicks = (event for event in events if event.code == "CLICK" and not event.bot)
    return sorted([*events, next(event for event in clicks if first <= event.at < end)])


def by_export(events: Sequence[Event], late: int) -> list[list[Event]]:
    """The events of each file; this many bounces of the first day are in the last file instead."""
    midnights = [datetime.combine(export_date, time()) for export_date in EXPORT_DATES]
    files = [[event for event in events if end - DAY - HOUR <= event.at < end] for end in midnights]
    bounces = [event for event in files[0] if event.code == "BOUNCE" and event not in files[1]][:late]
    return [[event for event in files[0] if event not in bounces], *files[1:-1], [*files[-1], *bounces]]


def device(event: Event) -> str:
    """What a person, not a machine, opened or clicked with."""
    reacts = event.code in ("VIEW", "CLICK") and not event.bot
    return DEVICES[int(event.person.selligent_id) % len(DEVICES)] if reacts else ""


def bounce_type(event: Event) -> str:
    """A bounce is soft, which may pass, or hard."""
    return ("soft" if event.at.second % 4 == 0 else "hard") if event.code == "BOUNCE" else ""


def log_row(event: Event) -> Row:
    """The interaction log has nearly all columns, but people of the prize draw only by their list's id."""
    at, person, mail, code, link, bot = event
    whom = ["", ""] if person.list_id == PRIZE_DRAW else [person.key, person.email]
    what = [mail.campaign, CAMPAIGNS[mail.campaign], mail.id, mail.subject, code, link, LINKS.get(link, "")]
    further = [URLS.get(link, ""), device(event), bounce_type(event)]
    return [person.list_id, person.selligent_id, *whom, *what, str(int(bot)), at.isoformat(), *further]


def click_row(event: Event) -> Row:
    """The clicks have no subjects, and one link has no name."""
    at, person, mail, _, link, _ = event
    link_name = "" if link == NAMELESS_LINK else LINKS[link]
    campaign = [mail.campaign, CAMPAIGNS[mail.campaign]]
    return [person.key, person.email, *campaign, mail.id, link, link_name, f"{at:%d-%m-%Y %H:%M:%S}", URLS[link]]


def bounce_row(event: Event) -> Row:
    """The bounces have no names."""
    at, person, mail, *_ = event
    return [person.key, person.email, mail.campaign, mail.id, bounce_type(event), f"{at:%d-%m-%Y %H:%M:%S}"]


def track_row(event: Event) -> Row:
    """Segment's names: links and lists only if an event has them, the time with its offset."""
    at, person, mail, code, link, _ = event
    what = [mail.id, mail.subject, mail.campaign, CAMPAIGNS[mail.campaign], link, LINKS.get(link, "")]
    whence = [LOYALTY, LISTS[LOYALTY]] if code == "OPTOUT" else ["", ""]
    return [person.key, EVENT_NAMES[code], *what, *whence, f"{at.isoformat()}+02:00", URLS.get(link, ""), device(event)]


def spoiled(rng: random.Random, columns: Row, rows: Sequence[Row], flaws: Iterable[Flaw]) -> list[Row]:
    """The rows and, at random positions, a faulty copy of one of them for each flaw."""
    result, views = list(rows), [row for row in rows if "VIEW" in row] or rows
    for flaw in flaws:
        row = rng.choice(views)
        if isinstance(flaw, int):
            faulty = row[:flaw]
        else:
            faulty = [flaw.get(column, value) for column, value in zip(columns, row, strict=True)]
        result.insert(rng.randint(0, len(result)), faulty)
    return result


def delimited(columns: Row, rows: Iterable[Row], delimiter: str = ",", quote_all: bool = False) -> bytes:
    """A file with a header; quotes inside quotes are doubled."""
    text, quoting = io.StringIO(), csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows([columns, *rows])
    return text.getvalue().encode()


def json_lines(columns: Row, rows: Iterable[Row]) -> bytes:
    """One object per line, without keys that have no value; ids that look like numbers are numbers, a device is an
    object.
    """
    pairs = ([(key, value) for key, value in zip(columns, row, strict=True) if value] for row in rows)
    objects = (
        {key: {"type": value} if key == "device" else int(value) if value.isdigit() else value for key, value in given}
        for given in pairs
    )
    return "".join(json.dumps(document, ensure_ascii=False) + "\n" for document in objects).encode()


def gzipped(content: bytes) -> bytes:
    """Compress without name and time, so that the same content gives the same bytes."""
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file:
        file.write(content)
    return packed.getvalue()


def files_of_log(rng: random.Random, events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    """The newsletters: an interaction log with all six events; the file of the second day is gzipped."""
    flaws: list[list[Flaw]] = [
        [6, 9, UNKNOWN, UNREADABLE, NO_PERSON],
        [9, UNKNOWN, UNREADABLE, UNREADABLE, NO_PERSON, NO_PERSON],
        [3, 12, UNKNOWN, UNREADABLE, NO_PERSON],
    ]
    for export_date, file, faults in zip(EXPORT_DATES, by_export(events, late=2), flaws, strict=True):
        rows = spoiled(rng, LOG, [log_row(event) for event in file], faults)
        name = f"ACME_interactions_{export_date:%Y%m%d}_0600.csv"
        content = delimited(LOG, rows, "|", quote_all=True)
        yield (f"{name}.gz", gzipped(content)) if export_date == EXPORT_DATES[1] else (name, content)


def files_of_orders(rng: random.Random, customers: Sequence[Person]) -> Iterator[tuple[str, bytes]]:
    """The mails that follow an order: a file of clicks and a file of bounces; nothing else is exported."""
    clicks = apart(at_all_hours(rng, customers, 85, "CLICK"))
    clicks = twice(clicks, datetime(2024, 6, 11, 13), datetime(2024, 6, 11, 20))
    bounces = apart(at_all_hours(rng, customers, 15, "BOUNCE"))
    click_flaws: list[list[Flaw]] = [[5, UNREADABLE], [NO_PERSON, NO_PERSON], [7, UNREADABLE]]
    bounce_flaws: list[list[Flaw]] = [[], [UNREADABLE], []]
    for export_date, file, flaws in zip(EXPORT_DATES, by_export(clicks, late=0), click_flaws, strict=True):
        rows = spoiled(rng, CLICKS, [click_row(event) for event in file], flaws)
        yield f"ACME_clicks_{export_date:%Y%m%d}060500.txt", delimited(CLICKS, rows, "\t")
    for export_date, file, flaws in zip(EXPORT_DATES, by_export(bounces, late=1), bounce_flaws, strict=True):
        rows = spoiled(rng, BOUNCES, [bounce_row(event) for event in file], flaws)
        yield f"ACME_bounces_{export_date:%Y%m%d}060502.txt", delimited(BOUNCES, rows, "\t")


def files_of_loyalty(rng: random.Random, customers: Sequence[Person]) -> Iterator[tuple[str, bytes]]:
    """The loyalty programme, with Segment's names: CSV in the first file, NDJSON in the second."""
    for mail, sent_at in ((POINTS, datetime(2024, 6, 11, 10, 0)), (GOLD, datetime(2024, 6, 12, 9, 30))):
        midnight = datetime.combine(sent_at + DAY, time())
        events = apart(e for e in funnel(rng, mail, sent_at, customers) if e.at < midnight and not e.bot)
        rows = [track_row(event) for event in events if event.code in EVENT_NAMES]
        name = f"ACME_loyalty_{midnight:%Y%m%d}_0410"
        if mail is POINTS:
            yield f"{name}.csv", delimited(TRACK, spoiled(rng, TRACK, rows, [9, UNREADABLE, NO_PERSON]))
        else:
            lines = json_lines(TRACK, spoiled(rng, TRACK, rows, [NO_PERSON])).splitlines(keepends=True)
            lines.insert(200, lines[100][:60] + b"\n")
            yield f"{name}.ndjson", b"".join(lines)


def files_of_lookups(players: Sequence[Person]) -> Iterator[tuple[str, bytes]]:
    """Whole snapshots of the first and the last day; the last ones have a new mail and a new name."""
    subjects = {mail.id: mail.subject for mail in MAILS}
    first_subjects = {key: subject for key, subject in subjects.items() if key != REVIEW.id}
    lookups = (
        ("emails", "MAIL_ID SUBJECT", EXPORT_DATES[0], first_subjects),
        ("emails", "MAIL_ID SUBJECT", EXPORT_DATES[-1], subjects),
        ("campaigns", "CAMPAIGN_ID CAMPAIGN_NAME", EXPORT_DATES[0], CAMPAIGNS),
        ("campaigns", "CAMPAIGN_ID CAMPAIGN_NAME", EXPORT_DATES[-1], CAMPAIGNS | RENAMED),
        ("links", "PROBE_ID PROBE_NAME", EXPORT_DATES[0], LINKS),
        ("lists", "LIST_ID LIST_NAME", EXPORT_DATES[0], LISTS),
    )
    for kind, columns, export_date, names in lookups:
        rows = [[key, name] for key, name in names.items()]
        yield f"ACME_{kind}_{export_date:%Y%m%d}_0630.csv", delimited(columns.split(), rows)
    contacts = [[*player[:3], player.email, player.name] for player in players]
    columns = "LIST_ID USER_ID CUSTOMER_KEY MAIL NAME"
    yield f"ACME_contacts_{EXPORT_DATES[0]:%Y%m%d}_0630.csv", delimited(columns.split(), contacts)


def example_files() -> dict[str, bytes]:
    """All files by name, from one seed."""
    rng = random.Random(SEED)
    flemish = members_of(rng, NEWSLETTER_NL, 480, 10001, guests=6)
    walloon = members_of(rng, NEWSLETTER_FR, 360, 20001, guests=4)
    players = members_of(rng, PRIZE_DRAW, 80, 30001, guests=2)
    sendings = (
        (WEEKLY, datetime(2024, 6, 10, 8, 30), flemish),
        (SALE, datetime(2024, 6, 10, 21, 45), walloon),
        (BICYCLE, datetime(2024, 6, 11, 12, 15), players),
        (LAST_CHANCE, datetime(2024, 6, 11, 20, 0), flemish),
        (SALE_AGAIN, datetime(2024, 6, 12, 9, 0), walloon),
    )
    news = apart(event for sending in sendings for event in funnel(rng, *sending))
    news = twice(news, datetime(2024, 6, 11, 13), datetime(2024, 6, 11, 20))
    news = twice(news, datetime(2024, 6, 11, 23), datetime(2024, 6, 12))
    return {
        **dict(files_of_log(rng, news)),
        **dict(files_of_orders(rng, [*flemish[:120], *flemish[-6:]])),
        **dict(files_of_loyalty(rng, [person for person in flemish if person.key][:330])),
        **dict(files_of_lookups(players)),
    }


def main() -> None:
    """Write the files, and remove those of an older version of this script."""
    EXPORTS.mkdir(exist_ok=True)
    for old in EXPORTS.glob("ACME_*"):
        old.unlink()
    for name, content in example_files().items():
        (EXPORTS / name).write_bytes(content)


if __name__ == "__main__":
    main()
