"""A layout as a person writes it, to be changed and read."""

from pathlib import Path

from pipeline.exports.layout_files import read_layout
from pipeline.exports.layouts import Layout

CLICKS = r"""
name: clicks
files: 'ACME_clicks_(?P<date>\d{8})(?P<time>\d{6})?\.txt'
kind: events
timezone: Europe/Brussels
event: Email Link Clicked
columns:
  CUSTOMER_KEY: user_id
  CLICK_DT: timestamp
"""
CODED = CLICKS.replace("event: Email Link Clicked", "event_column: WHAT\nevent_codes: {CLICK: Email Link Clicked}")


def read(path: Path, text: str) -> Layout:
    """The layout that the text says, once it is written there."""
    path.write_text(text, "utf-8")
    return read_layout(path)


def changed(old: str, new: str, text: str = CLICKS) -> str:
    """The text with something else in place of what stands in it."""
    assert old in text
    return text.replace(old, new)
