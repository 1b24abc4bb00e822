"""The label loop under load: what an answer costs, and what many people at once feel."""
