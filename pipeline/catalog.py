"""The six events, with their names, properties and tables; and the lookups.

Names and properties are those of Segment's own Selligent source (Segment docs, "Selligent Marketing Cloud Source").
The general email spec ("Spec: Email Events") calls the last event `Unsubscribed`. The columns are those of a warehouse
that Segment loads ("Warehouse Schemas").
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.naming import snake_case

INTEGRATION_NAME = "Selligent Marketing Cloud"
INTEGRATION_VERSION = "1"
LIBRARY_NAME = "selligent-to-segment"

EMAIL_PROPERTIES = ("email_id", "email_subject", "campaign_id", "campaign_name")


@dataclass(frozen=True)
class Event:
    """An event name, with the properties of its messages and its table, in their order."""

    name: str
    properties: tuple[str, ...]
    description: str

    @property
    def table(self) -> str:
        """The name of the event's table, and the value of the column `event`."""
        return snake_case(self.name)


EVENTS = (
    Event("Email Delivered", EMAIL_PROPERTIES, "The receiving server accepted the email."),
    Event("Email Opened", EMAIL_PROPERTIES, "The email was opened (Selligent: a view)."),
    Event(
        "Email Link Clicked",
        (*EMAIL_PROPERTIES, "link_id", "link_name", "link_url"),
        "A link in the email was clicked (Selligent: a sensor or probe).",
    ),
    Event("Email Marked as Spam", EMAIL_PROPERTIES, "The recipient marked the email as spam (a complaint)."),
    Event("Email Bounced", EMAIL_PROPERTIES, "The receiving server returned the email."),
    Event("Email Unsubscribed", (*EMAIL_PROPERTIES, "list_id", "list_name"), "The recipient opted out of a list."),
)

EVENTS_BY_NAME = {event.name: event for event in EVENTS}
EVENTS_BY_TABLE = {event.table: event for event in EVENTS}
# With SEGMENT_IDENTIFY: the identify calls. They are delivered as an event is, and no export contains them.
IDENTIFIES = Event("Identifies", (), "A contact has an identity in Segment, with its traits.")
CALLS_BY_NAME = {**EVENTS_BY_NAME, IDENTIFIES.name: IDENTIFIES}
CALLS_BY_TABLE = {call.table: call for call in CALLS_BY_NAME.values()}


@dataclass(frozen=True)
class Lookup:
    """A kind of lookup file: its key columns, and its value columns, of which a file needs at least one."""

    key: tuple[str, ...]
    values: tuple[str, ...]


LOOKUPS: Mapping[str, Lookup] = {
    "emails": Lookup(("email_id",), ("email_subject",)),
    "campaigns": Lookup(("campaign_id",), ("campaign_name",)),
    "links": Lookup(("link_id",), ("link_name",)),
    "lists": Lookup(("list_id",), ("list_name",)),
    "contacts": Lookup(("list_id", "selligent_user_id"), ("user_id", "email")),
}
# The columns of the id and the name, for lookups that map one to the other.
NAMES = {kind: (lookup.key[0], lookup.values[0]) for kind, lookup in LOOKUPS.items() if kind != "contacts"}

# Columns of every event table and of `tracks`, in their order.
SHARED_COLUMNS = (
    "id",
    "received_at",
    "sent_at",
    "original_timestamp",
    "timestamp",
    "user_id",
    "anonymous_id",
    "event",
    "event_text",
    "context_integration_name",
    "context_integration_version",
    "context_library_name",
    "context_library_version",
    "context_traits_email",
    "context_selligent_list_id",
    "context_selligent_user_id",
    "context_selligent_send_id",
    "context_selligent_is_bot",
    "context_ip",
    "context_user_agent",
    "uuid_ts",
)
