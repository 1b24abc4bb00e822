"""Items as vectors."""
