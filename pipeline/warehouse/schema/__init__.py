"""The tables that no model makes, and how those of earlier versions are brought up to date."""
