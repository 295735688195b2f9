"""What the report draws: each figure once, for papers and for the page."""
