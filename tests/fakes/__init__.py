"""Servers that the pipeline meets in production, real ones, on loopback."""
