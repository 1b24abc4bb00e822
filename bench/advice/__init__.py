"""Bench of honest numbers: forecasts and stopping advice against what really happened."""
