"""Drafts of layouts for unknown exports: each module guesses one part, and `draft` writes the YAML."""
