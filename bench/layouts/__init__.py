"""Bench of layouts."""
