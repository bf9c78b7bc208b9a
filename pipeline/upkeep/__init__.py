"""Keeping the warehouse small and quick, however long it has been written to."""
