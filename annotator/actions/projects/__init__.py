"""Projects, their people, labels and settings."""
