"""Verbs: every write that crosses rows."""
