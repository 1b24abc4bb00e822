"""Whether a teacher may be believed, and still may."""
