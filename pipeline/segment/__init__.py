"""Event tables → Segment."""
