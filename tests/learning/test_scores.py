"""Scores equal their plain definitions, whatever the size of the table."""

import numpy as np
import pytest

from learning import scores

SHAPES = [(1, 2), (700, 2), (5_000, 77), (7_001, 300), (3, 1000)]


def table(rows: int, columns: int, dtype: str = "float32") -> np.ndarray:
    rng = np.random.default_rng(rows)
    p = rng.dirichlet(np.full(columns, 0.3), size=rows).astype(np.float32)
    return np.round(p, 2).astype(dtype)  # rounding makes ties and zeros


@pytest.mark.parametrize("shape", SHAPES)
def test_two_largest_are_the_two_largest(shape: tuple[int, int]) -> None:
    p = table(*shape)
    first, second = scores.two_largest(p)
    falling = -np.sort(-p, axis=1)
    np.testing.assert_array_equal(first, falling[:, 0])
    np.testing.assert_array_equal(second, falling[:, 1])
    margins = scores.margins(p, multi_label=False)
    np.testing.assert_array_equal(margins, falling[:, 0] - falling[:, 1])


@pytest.mark.parametrize("shape", SHAPES)
def test_entropy_and_confidence_of_one_label(shape: tuple[int, int]) -> None:
    p = table(*shape)
    exact = p.astype(np.float64)
    logs = np.log(exact, where=exact > 0, out=np.zeros_like(exact))
    np.testing.assert_allclose(
        scores.entropies(p, multi_label=False), -(exact * logs).sum(axis=1), atol=1e-5
    )
    np.testing.assert_array_equal(scores.confidences(p, multi_label=False), p.max(axis=1))


def test_scores_of_several_labels() -> None:
    p = np.array([[0.5, 1.0, 0.0], [0.9, 0.2, 1.0]], dtype=np.float32)
    np.testing.assert_allclose(scores.margins(p, multi_label=True), [0, 0.6], atol=1e-6)
    np.testing.assert_allclose(scores.confidences(p, multi_label=True), [0.5, 0.72], atol=1e-6)
    first = np.log(2) / 3
    assert scores.entropies(p, multi_label=True)[0] == pytest.approx(first, abs=1e-6)


def test_half_precision_is_computed_in_float32() -> None:
    p = table(40, 9)
    halves = p.astype(np.float16)
    expected = scores.margins(halves.astype(np.float32), multi_label=False)
    np.testing.assert_array_equal(scores.margins(halves, multi_label=False), expected)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("score", [scores.margins, scores.entropies, scores.confidences])
def test_what_is_not_a_number_shows_in_the_score_of_its_row(score, multi_label) -> None:
    p = table(900, 5)
    p[611, 3] = np.nan
    found = score(p, multi_label=multi_label)
    assert np.flatnonzero(~np.isfinite(found)).tolist() == [611]


def test_one_label_leaves_no_doubt() -> None:
    p = np.ones((3, 1), dtype=np.float32)
    assert scores.margins(p, multi_label=False).tolist() == [1, 1, 1]


def test_a_memory_map_is_read_in_blocks(tmp_path) -> None:
    import tracemalloc

    p = np.lib.format.open_memmap(tmp_path / "p.npy", "w+", np.float32, (60_000, 77))
    p[:] = np.float32(1 / 77)
    for score in (scores.margins, scores.entropies, scores.confidences):
        tracemalloc.start()
        score(p, multi_label=False)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 << 20  # the table has 18 MiB
