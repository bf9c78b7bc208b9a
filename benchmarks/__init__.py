"""How long the pipeline takes beside what it could take at best: `make bench`."""
