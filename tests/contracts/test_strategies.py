"""What every selection strategy promises."""

import re
import tracemalloc
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from learning.errors import LearningError
from learning.selection import NESTED, STRATEGIES
from learning.types import Pool, Selection
from tests.contracts.plugins import a_pool, a_wide_pool

# These promise picks that are unlike one another.
DIVERSE = {
    "badge",
    "expected-variance",
    "k-center",
    "keyword",
    "margin-diverse",
    "mixed",
    "probcover",
    "representatives",
    "typiclust",
}
ONE_LABEL, SEVERAL = pytest.param(False, id="one-label"), pytest.param(True, id="several")

every = pytest.mark.parametrize("name", STRATEGIES)
each_kind = pytest.mark.parametrize("multi_label", [ONE_LABEL, SEVERAL])
diverse = pytest.mark.parametrize("name", [name for name in STRATEGIES if name in DIVERSE])


def pick(name: str, pool: Pool, n: int, seed: int = 0) -> Selection:
    return STRATEGIES.create(name).select(pool, n, np.random.default_rng(seed))


def pick_or_refuse(name: str, pool: Pool, n: int) -> Selection | None:
    """A valid selection of what the pool has, or None after a refusal in a sentence."""
    picked, refusal = None, ""
    try:
        picked = pick(name, pool, n)
    except LearningError as error:
        refusal = str(error)
    if picked is None:
        assert re.fullmatch(r"[A-Z].*[.]", refusal), f"{refusal} is no sentence"
        return None
    assert len(picked.rows) == min(n, len(pool.candidates()))
    assert set(picked.rows.tolist()) <= set(pool.candidates().tolist())
    return picked


@every
@each_kind
def test_picks_distinct_candidates_with_reason_and_probability(name: str, multi_label) -> None:
    pool = a_pool(multi_label=multi_label)
    picked = pick_or_refuse(name, pool, 20)
    assert picked or multi_label, "with one label per item every strategy picks"
    if picked is None:
        return
    assert picked.rows.dtype == np.int64
    assert len(set(picked.rows.tolist())) == 20
    assert ((picked.probabilities > 0) & (picked.probabilities <= 1)).all()
    assert all(re.search(r"\d", reason) for reason in picked.reasons)
    if picked.questions is not None:
        assert set(picked.questions.tolist()) <= {-1, 0, 1, 2}


@every
@each_kind
def test_same_generator_same_picks(name: str, multi_label) -> None:
    first, second = (pick_or_refuse(name, a_pool(multi_label=multi_label), 15) for _ in range(2))
    if first is None:
        return
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_array_equal(first.probabilities, second.probabilities)
    assert first.reasons == second.reasons


@every
@pytest.mark.parametrize("n", [-1, 0, 1, 1000])
def test_never_picks_more_than_there_are(name: str, n: int) -> None:
    pool = a_pool()
    assert len(pick(name, pool, n).rows) == min(max(n, 0), len(pool.candidates()))


@every
def test_an_exhausted_pool_gives_nothing(name: str) -> None:
    pool = a_pool()
    nothing_open = replace(pool, eligible=np.zeros(90, dtype=bool))
    all_labelled = replace(
        pool, labelled=np.ones(90, dtype=bool), answers=np.eye(3)[[0, 1, 2] * 30]
    )
    assert len(pick(name, nothing_open, 5).rows) == 0
    assert len(pick(name, all_labelled, 5).rows) == 0


@every
@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4])
def test_tiny_pools(name: str, rows: int) -> None:
    pool = a_pool(rows)
    pick_or_refuse(name, pool, 3)
    unlabelled = replace(pool, labelled=np.zeros(rows, dtype=bool), answers=None)
    pick_or_refuse(name, unlabelled, 2)


@every
@each_kind
@pytest.mark.parametrize(
    "missing",
    [
        ("probabilities",),
        ("encodings",),
        ("answers",),
        ("teacher_error",),
        ("wanted",),
        ("set_sizes",),
        ("lengths",),
        (
            "probabilities",
            "encodings",
            "answers",
            "teacher_error",
            "wanted",
            "set_sizes",
            "lengths",
        ),
    ],
    ids=" ".join,
)
def test_what_is_missing_is_done_without_or_refused(name: str, missing, multi_label) -> None:
    pool = replace(a_pool(multi_label=multi_label), **dict.fromkeys(missing))
    pick_or_refuse(name, pool, 7)


@every
def test_a_pool_where_nothing_is_labelled_yet(name: str) -> None:
    nobody = np.zeros(90, dtype=bool)
    pick_or_refuse(name, replace(a_pool(), labelled=nobody, answers=None), 7)
    pick_or_refuse(name, replace(a_pool(), labelled=nobody, answers=np.zeros((0, 3))), 7)


@every
@each_kind
@pytest.mark.parametrize("spoilt", ["probabilities", "encodings", "margins", "answers"])
@pytest.mark.parametrize("where", ["one item", "everywhere"])
def test_what_is_not_a_number_is_refused_or_not_read(name, spoilt, where, multi_label) -> None:
    pool = replace(a_pool(multi_label=multi_label), margins=np.linspace(0, 1, 90, dtype=np.float32))
    values = np.array(getattr(pool, spoilt))
    one = 7 if spoilt == "answers" else pool.candidates()[7]
    values[one if where == "one item" else slice(None)] = np.nan
    clean = pick_or_refuse(name, pool, 12)
    picked = pick_or_refuse(name, replace(pool, **{spoilt: values}), 12)
    if picked is not None:
        np.testing.assert_array_equal(picked.rows, clean.rows)
        assert not any(re.search(r"\bnan\b", reason) for reason in picked.reasons)


@every
@each_kind
@pytest.mark.parametrize("p", [-0.2, 1.4])
def test_what_is_no_probability_is_refused_in_a_sentence_or_read_as_a_score(name, p, multi_label):
    pool = a_pool(multi_label=multi_label)
    values = np.array(pool.probabilities)
    values[pool.candidates()[7], 1] = p
    pick_or_refuse(name, replace(pool, probabilities=values), 12)


@every
@each_kind
@pytest.mark.parametrize("zero", ["one item", "some items", "every item"])
def test_encodings_without_any_length(name: str, zero: str, multi_label) -> None:
    pool = a_pool(multi_label=multi_label)
    encodings = np.array(pool.encodings)
    rows = {"one item": [3], "some items": range(0, 90, 4), "every item": range(90)}[zero]
    encodings[list(rows)] = 0
    for seed in range(4):
        for n in (1, 12, 70):
            if pick_or_refuse(name, pool, n) is not None:
                picked = pick(name, replace(pool, encodings=encodings), n, seed)
                assert len(picked.rows) == min(n, len(pool.candidates()))


# Among the few kinds of votes that five members can cast, chance decides who comes first.
WITHOUT_TIES = {"committee": {"disagreement": "jensen-shannon"}}


@pytest.mark.parametrize("name", sorted(NESTED - {"random"}))
def test_the_beginning_of_a_long_list_is_the_batch(name: str) -> None:
    pool = a_wide_pool()
    strategy = STRATEGIES.create(name, WITHOUT_TIES.get(name))
    few, many = (strategy.select(pool, n, np.random.default_rng(1)) for n in (50, 590))
    assert set(many.rows[:50].tolist()) == set(few.rows.tolist())


def test_the_beginning_of_a_long_random_list_favours_no_row() -> None:
    pool = a_pool(40)
    begun = np.concatenate([pick("random", pool, 20, seed).rows[:5] for seed in range(400)])
    counts = np.bincount(begun, minlength=40)[pool.candidates()]
    expected = len(begun) / len(counts)
    assert abs(counts - expected).max() < 5 * np.sqrt(expected)


@every
@each_kind
def test_only_the_likeliest_labels_are_kept(name: str, multi_label) -> None:
    pool = a_pool(multi_label=multi_label)
    columns = np.argsort(-pool.probabilities, axis=1)[:, :2]
    kept = np.take_along_axis(pool.probabilities, columns, axis=1)
    pick_or_refuse(name, replace(pool, probabilities=kept, columns=columns.astype(np.int32)), 12)


@every
@each_kind
@pytest.mark.parametrize("p", [0.0, 1.0])
def test_a_student_without_any_doubt(name: str, p: float, multi_label) -> None:
    sure = np.full((90, 3), p if multi_label else 0.0, dtype=np.float32)
    if not multi_label:
        sure[:, int(p)] = 1
    pick_or_refuse(name, replace(a_pool(multi_label=multi_label), probabilities=sure), 12)


@every
@each_kind
def test_one_label_only(name: str, multi_label) -> None:
    pool = replace(
        a_pool(multi_label=multi_label),
        probabilities=np.full((90, 1), 0.7 if multi_label else 1.0, dtype=np.float32),
        answers=np.ones((18, 1), dtype=np.float32),
        label_names=("Refund",),
    )
    pick_or_refuse(name, pool, 12)
    same_answers = np.eye(3, dtype=np.float32)[np.zeros(18, dtype=int)]
    pick_or_refuse(name, replace(a_pool(multi_label=multi_label), answers=same_answers), 12)


@every
@each_kind
def test_items_that_are_all_the_same(name: str, multi_label) -> None:
    same = replace(
        a_pool(multi_label=multi_label),
        probabilities=np.full((90, 3), 1 / 3, dtype=np.float32),
        encodings=np.ones((90, 8), dtype=np.float16),
    )
    pick_or_refuse(name, same, 12)


@every
def test_nobody_needs_encodings_of_length_one(name: str) -> None:
    pool = a_pool()
    pick_or_refuse(name, replace(pool, encodings=pool.encodings * np.float16(40)), 12)


@diverse
def test_copies_wait_until_nothing_else_is_left(name: str) -> None:
    pool = a_pool(20)
    times_three = np.tile(np.arange(20), 3)
    pool = Pool(
        eligible=np.ones(60, dtype=bool),
        labelled=np.zeros(60, dtype=bool),
        probabilities=pool.probabilities[times_three],
        encodings=pool.encodings[times_three],
        label_names=pool.label_names,
        wanted=np.arange(60),
    )
    for seed in range(3):
        rows = pick(name, pool, 10, seed).rows
        assert len(set(rows % 20)) == 10, "two copies of an item were picked"
    assert len(pick(name, pool, 60).rows) == 60


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    """150,000 items as read-only maps: 27 MiB of encodings, 57 MiB in float32."""
    folder = tmp_path_factory.mktemp("pool")
    rng = np.random.default_rng(0)
    rows, dimensions = 150_000, 96
    encodings = np.memmap(folder / "x", np.float16, "w+", shape=(rows, dimensions))
    few = rng.normal(size=(3000, dimensions)) / 10
    encodings[:] = np.tile(few, (50, 1))
    encodings[:, 0] += rng.random(rows)
    p = np.memmap(folder / "p", np.float32, "w+", shape=(rows, 8))
    p[:] = rng.dirichlet(np.ones(8), size=rows)
    labelled = np.zeros(rows, dtype=bool)
    labelled[::3000] = True
    return Pool(
        eligible=np.ones(rows, dtype=bool),
        labelled=labelled,
        probabilities=np.memmap(folder / "p", np.float32, "r", shape=(rows, 8)),
        encodings=np.memmap(folder / "x", np.float16, "r", shape=(rows, dimensions)),
        label_names=tuple("ABCDEFGH"),
        answers=np.eye(8, dtype=np.float32)[np.arange(labelled.sum()) % 8],
        teacher_error=0.2,
        set_sizes=np.arange(rows) % 4,
        lengths=np.arange(rows) * 37 % 5000,
        apart=np.where(np.arange(rows) < 5, 0.5, np.nan).astype(np.float32),
        wanted=np.arange(100),
    )


# Parameters that say how much is looked at: small here, so that what grows with the pool shows.
SIZES = {"keep", "sample", "most", "covered", "remembered", "compared"}


@every
def test_maps_are_neither_copied_whole_nor_written_to(name: str, on_disk: Pool) -> None:
    before = Path(on_disk.encodings.filename).stat().st_mtime_ns
    plugin = STRATEGIES[name]
    small = {field.name: 1000 for field in fields(plugin) if field.name in SIZES}
    tracemalloc.start()
    picked = plugin(**small).select(on_disk, 10, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(picked.rows) == 10
    assert peak < 20 << 20, f"{peak >> 20} MiB, and the float16 encodings have 27"
    assert Path(on_disk.encodings.filename).stat().st_mtime_ns == before


@every
def test_leaves_the_arrays_of_the_pool_alone(name: str) -> None:
    pool, same = a_pool(), a_pool()
    arrays = ("probabilities", "encodings", "eligible", "labelled", "answers", "wanted")
    for field in arrays:
        getattr(pool, field).setflags(write=False)
    pick(name, pool, 10)
    for field in arrays:
        np.testing.assert_array_equal(getattr(pool, field), getattr(same, field))
