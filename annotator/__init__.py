"""Concord: people and machines label data together, and small models learn from it meanwhile."""

__version__ = "0.1.0"
