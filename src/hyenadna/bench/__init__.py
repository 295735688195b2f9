"""Speed of the operations beside that of their alternatives, timed in turns in one run."""
