"""A layout and exports of a handful of rows, for stories in which every row counts."""

from collections.abc import Sequence

LAYOUT = r"""
name: log
files: 'log_(?P<date>\d{8})(_(?P<time>\d{4}))?(_again)?\.csv'
kind: events
timezone: UTC
event_column: WHAT
event_codes: {SENT: Email Delivered, VIEW: Email Opened, CLICK: Email Link Clicked}
columns: {WHO: user_id, MAIL: email_id, CAMPAIGN: campaign_id, LINK: link_id, WHEN: timestamp}
"""

CAMPAIGNS = r"""
name: campaigns
files: 'campaigns_(?P<date>\d{8})\.csv'
kind: campaigns
columns: {ID: campaign_id, NAME: campaign_name}
"""

NAMED_CLICKS = r"""
name: clicks
files: 'clicks_(?P<date>\d{8})\.csv'
kind: events
timezone: UTC
event: Email Link Clicked
columns: {WHO: user_id, CAMPAIGN: campaign_id, NAME: campaign_name, WHEN: timestamp}
"""

UNSUBSCRIBED = r"""
name: unsubscribed
files: 'unsubscribed_(?P<date>\d{8})\.csv'
kind: events
timezone: UTC
event: Email Unsubscribed
columns: {LIST: list_id, USER: selligent_user_id, WHEN: timestamp}
"""

CONTACTS = r"""
name: contacts
files: 'contacts_(?P<date>\d{8})\.csv'
kind: contacts
columns: {LIST: list_id, USER: selligent_user_id, WHO: user_id}
"""

LAYOUTS = {"log.yml": LAYOUT, "campaigns.yml": CAMPAIGNS}

# Opens, a minute after each other.
ANN, BOB, EVE, ZOE = (f"{who},m1,c1,VIEW,,2024-06-10T08:0{n}:00Z" for n, who in enumerate(("ann", "bob", "eve", "zoe")))


def log(rows: Sequence[str]) -> str:
    """The text of an export; a row is `who,mail,campaign,what,link,when`."""
    return "\n".join(["WHO,MAIL,CAMPAIGN,WHAT,LINK,WHEN", *rows]) + "\n"
