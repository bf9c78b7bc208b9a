"""What Segment reports that it kept, compared with the ledger."""
