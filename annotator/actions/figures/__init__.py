"""Numbers that may be believed."""
