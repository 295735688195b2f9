"""What the rules of the workflow call before the first job; no job needs it."""
