"""From an unknown export to the draft of its layout: each module guesses one thing, and `draft` writes it down."""
