"""Selligent exports into DuckDB, into the tables of a Segment warehouse, into Segment."""

__version__ = "1.0.0"
