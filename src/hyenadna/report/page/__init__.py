"""The page: what it says, in which order, and how it is laid out."""
