"""Local and remote files, accessed through fsspec."""
