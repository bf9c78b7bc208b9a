"""When jobs run, and who is notified of a failure."""
