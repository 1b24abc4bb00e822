"""Find items, and do something with all hits."""
