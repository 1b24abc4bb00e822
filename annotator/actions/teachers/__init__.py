"""Machine annotators: set up, asked, paid."""
