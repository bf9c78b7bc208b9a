"""The warehouse and the ledger, moved to other stores."""
