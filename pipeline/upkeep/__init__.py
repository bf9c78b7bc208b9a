"""Maintenance that keeps the warehouse small and quick."""
