"""What to do about the reasons for which Segment discards an event of this pipeline.

Codes: Segment docs, "Delivery Overview" (troubleshooting, discard table); the words are ours.
"""

REMEDIES = {
    "no_user_anon_id": "the event has neither a user id nor an address; give the layout a column for one",
    "id_required": "the event has neither a user id nor an address; give the layout a column for one",
    "id_not_string": "a user id is empty; look at its column in the export",
    "event_setting": "the source's schema blocks this event; allow it there",
    "unplanned": "the source blocks events that its tracking plan does not have; add this one to the plan",
    "unplanned_and_schema_violation": "the tracking plan does not have this event; add it, with its properties",
    "schema_violation": "the event breaks the tracking plan; correct the plan, or let such events pass",
    "common_schema_violation": "the event breaks the tracking plan's common schema; correct it there",
    "source_disabled": "the source is switched off; switch it on in its settings",
    "locked_workspace": "the workspace is locked; ask Segment's support",
}
_UNKNOWN = "look the reason up in Segment's documentation, Delivery Overview"


def remedy(reason: str) -> str:
    """What a person can do about a discard reason."""
    return REMEDIES.get(reason, _UNKNOWN)
