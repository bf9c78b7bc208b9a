"""People who must not be loaded, modelled or delivered."""
