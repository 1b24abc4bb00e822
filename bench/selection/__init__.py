"""Bench of selection: our strategies beside those of small-text and scikit-activeml."""
