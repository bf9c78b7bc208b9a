"""What the assets of every stage are built with."""
