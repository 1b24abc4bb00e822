"""Bench of students: accuracy by labels per class, beside other libraries, and the labels a goal costs."""
