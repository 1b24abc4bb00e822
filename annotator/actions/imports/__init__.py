"""From a file to items."""
