"""How each format of an export file is parsed."""
