"""Why the system does not start, as a sentence for the person who started it."""


class StartError(Exception):
    """Something outside the program stops it from starting; the message says what to do."""
