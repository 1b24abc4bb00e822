"""Exact label likelihoods over a shared trie."""

import itertools

import numpy as np
import pytest

from learning.errors import ParameterError, ShapeError
from learning.teachers.token_trie import (
    TokenTrie,
    label_distribution,
    label_log_likelihoods,
)

VOCABULARY, END = 12, 0
LABELS = [(3,), (3, 4), (3, 4, 5), (6, 7), (6, 8), (9, 3)]
"""Some begin others; two share a beginning; one ends as another begins."""


class TinyModel:
    """A language model: the next token hangs on all that was written, by a fixed random rule."""

    def __init__(self, seed: int = 0) -> None:
        self.seed, self.calls, self.rows = seed, 0, 0

    def __call__(self, beginnings) -> np.ndarray:
        self.calls += 1
        self.rows += len(beginnings)
        return np.stack([self.after(written) for written in beginnings])

    def after(self, written) -> np.ndarray:
        logits = np.random.default_rng([self.seed, *written, len(written)]).normal(size=VOCABULARY)
        return logits - np.log(np.exp(logits).sum())


def test_a_likelihood_is_the_product_of_its_tokens_and_the_end() -> None:
    model = TinyModel()
    found = label_log_likelihoods(TokenTrie.of(LABELS, END), model)
    for label, path in enumerate(LABELS):
        whole = [*path, END]
        expected = sum(model.after(whole[:n])[token] for n, token in enumerate(whole))
        assert found[label] == pytest.approx(expected)


def test_beginnings_are_computed_once_and_level_by_level() -> None:
    model = TinyModel()
    trie = TokenTrie.of(LABELS, END)
    label_log_likelihoods(trie, model)
    assert model.rows == len({path[:n] for path in LABELS for n in range(len(path) + 1)}) == 9
    assert model.calls == 4, "the longest label has three tokens"


def test_all_strings_of_a_tiny_world_share_the_whole_belief() -> None:
    """With every string up to length 2 as a label, only longer ones and the empty one are left."""
    letters = range(3, 6)
    every = [s for n in (1, 2) for s in itertools.product(letters, repeat=n)]

    class Small(TinyModel):
        def after(self, written):
            rng = np.random.default_rng([7, *written])
            share = np.zeros(VOCABULARY)
            share[[END, 3, 4, 5]] = rng.dirichlet(np.ones(4))
            if len(written) == 2:
                share = np.eye(VOCABULARY)[END]
            if not written:
                share[END] = 0
                share /= share.sum()
            return np.log(np.maximum(share, 1e-300))

    p, share = label_distribution(label_log_likelihoods(TokenTrie.of(every, END), Small()))
    assert share == pytest.approx(1)
    assert p.sum() == pytest.approx(1)


def test_a_model_that_would_say_something_else_shows_in_the_share() -> None:
    p, share = label_distribution(np.log([0.02, 0.01]))
    assert p == pytest.approx([2 / 3, 1 / 3])
    assert share == pytest.approx(0.03)
    certain, _ = label_distribution(np.array([-2000.0, -2001.0]))
    assert certain.sum() == pytest.approx(1), "far below what a float can hold"
    assert label_distribution(np.array([-np.inf, -1.0]))[0].tolist() == [0, 1]
    for nothing in ([-np.inf, -np.inf], [np.nan, 0.0]):
        with pytest.raises(ShapeError):
            label_distribution(np.array(nothing))


def test_more_likely_is_a_label_that_begins_another_only_with_its_end() -> None:
    """A model sure of "3 4 5" must not give the belief to "3", its beginning."""

    def sure(beginnings):
        rows = np.full((len(beginnings), VOCABULARY), 1e-9)
        for row, written in zip(rows, beginnings, strict=True):
            whole = (3, 4, 5, END)
            row[whole[len(written)] if tuple(written) == whole[: len(written)] else END] = 1
        return np.log(rows / rows.sum(axis=1, keepdims=True))

    p, _ = label_distribution(label_log_likelihoods(TokenTrie.of(LABELS, END), sure))
    assert p.argmax() == 2
    assert p[2] > 0.999


def test_refuses_labels_that_cannot_be_told_apart() -> None:
    for wrong in ([(3,), (3,)], [()], [(3, END)]):
        with pytest.raises(ParameterError):
            TokenTrie.of(wrong, END)
    with pytest.raises(ShapeError):
        TokenTrie.of([], END)
    with pytest.raises(ShapeError, match="one row"):
        label_log_likelihoods(TokenTrie.of(LABELS, END), lambda b: np.zeros((1, VOCABULARY)))
