"""Benchmarks of the pipeline, compared with the best possible: `make bench`."""
