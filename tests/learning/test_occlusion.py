"""Evidence words: what is left out, and how a push is counted."""

import math

import numpy as np
import pytest

from learning.audit.occlusion import pieces, pushes, without


def test_each_word_is_left_out_once_and_long_texts_by_neighbours():
    text = "  my card, again\nrefused "
    parts = pieces(text, 10)
    assert [text[p.start : p.end] for p in parts] == ["my", "card,", "again", "refused"]
    assert without(text, parts)[1] == "my  again\nrefused"
    two = pieces(text, 2)
    assert [text[p.start : p.end] for p in two] == ["my card,", "again\nrefused"]
    assert len(pieces(" ".join("word" for _ in range(1_000)), 48)) <= 48
    assert pieces(" \n", 5) == []


def test_a_push_is_the_change_of_the_log_odds():
    up, down, none = pushes(0.8, np.array([0.5, 0.9, 0.8]))
    assert up == pytest.approx(math.log(4))
    assert down < 0
    assert none == pytest.approx(0)
    assert math.isfinite(pushes(1.0, np.array([0.0]))[0])
