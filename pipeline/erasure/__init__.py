"""People are removed from everywhere, and it is proved that they are."""
