"""Machine learning for labelling: encode, learn, select, agree. Knows nothing of Django or a queue."""
