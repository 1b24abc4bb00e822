"""Replays of labelled data."""
