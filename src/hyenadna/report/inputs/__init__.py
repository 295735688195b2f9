"""Reading a results tree: its files as small typed records."""
