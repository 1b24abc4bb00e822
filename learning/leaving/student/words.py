"""The words of a text. In a folder that leaves, `learning/spans/words.py` itself has this name."""

from learning.spans.words import words_of

__all__ = ["words_of"]
