"""What Segment reports as received, compared with the ledger."""
