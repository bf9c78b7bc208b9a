"""Load Selligent exports into DuckDB, build the tables of a Segment warehouse, and deliver events to Segment."""

__version__ = "1.0.0"
