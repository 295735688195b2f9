"""What the report tells in rows and columns."""
