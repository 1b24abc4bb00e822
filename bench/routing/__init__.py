"""Bench of routing: what finished labels cost and are worth when teachers label too."""
