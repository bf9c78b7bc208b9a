"""Export files → raw tables."""
