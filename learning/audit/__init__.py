"""Honest numbers: estimates from items that chance drew, never from those that selection chose."""
