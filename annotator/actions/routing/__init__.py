"""Person or machine, under a policy."""
