"""HTTP exchanges with a deadline, and errors in plain words."""
