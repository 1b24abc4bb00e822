"""What people are asked next."""
