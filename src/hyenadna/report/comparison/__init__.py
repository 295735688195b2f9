"""Two results trees side by side."""
