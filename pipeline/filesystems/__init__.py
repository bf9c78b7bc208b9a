"""Files on this machine and elsewhere, reached through fsspec."""
