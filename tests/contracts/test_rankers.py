"""What every ranker promises."""

from pathlib import Path

import numpy as np
import pytest

from learning import rankers
from learning.errors import DamagedFileError, NotEnoughDataError
from learning.rankers import RANKERS
from learning.rankers.scores import metrics
from learning.rankers.types import Lists, Ranked
from learning.registry import parameters_of
from learning.types import no_report

every = pytest.mark.parametrize("name", RANKERS)


def lesson(lists: int, seed: int = 0) -> Ranked:
    """Lists of three to six candidates whose first dimension says how good they are; close ones are equal."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(3, 7, lists)
    vectors = rng.normal(size=(int((counts + 1).sum()), 8))
    starts = np.concatenate([[0], np.cumsum(counts + 1)])
    places = []
    for start, count in zip(starts, counts, strict=False):
        grades = np.round(vectors[start + 1 : start + 1 + count, 0]).astype(int)
        _, place = np.unique(-grades, return_inverse=True)
        places.append(place.astype(np.int64))
    return Ranked(lists=Lists(starts=starts, vectors=vectors.astype(np.float32)), places=places)


def orders_of(places):
    return [
        {"order": [(np.flatnonzero(one == at) + 1).tolist() for at in range(one.max() + 1)]}
        for one in places
    ]


@every
def test_learns_orders_alike_each_time_and_survives_a_save(name: str, tmp_path: Path) -> None:
    ranker = RANKERS.create(name)
    data, asked = lesson(80), lesson(40, seed=1)
    fitted = ranker.fit(data, np.random.default_rng(0), no_report)
    said = fitted.order(asked.lists)
    told = [{"order": said.order(at)} for at in range(40)]
    assert metrics(orders_of(asked.places), told)["tau_b"] > 0.7
    assert any(len(group) > 1 for each in told for group in each["order"]), "ties are learnt too"
    assert said.utility.dtype == said.margins.dtype == np.float32
    assert ((said.margins >= 0) & (said.margins <= 1)).all()
    settled = RANKERS.create(name, parameters_of(ranker.settle(fitted)))
    again = settled.fit(data, np.random.default_rng(0), no_report).order(asked.lists)
    same = [{"order": again.order(at)} for at in range(40)]
    assert metrics(told, same)["tau_b"] > 0.95
    fitted.save(tmp_path)
    read = rankers.load(tmp_path).order(asked.lists)
    np.testing.assert_allclose(read.utility, said.utility, atol=1e-6)
    file = next(path for path in tmp_path.rglob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DamagedFileError):
        rankers.load(tmp_path)


@every
def test_orders_in_which_all_are_equal_teach_nothing(name: str) -> None:
    data = lesson(3)
    flat = [np.zeros_like(places) for places in data.places]
    with pytest.raises(NotEnoughDataError):
        RANKERS.create(name).fit(
            Ranked(lists=data.lists, places=flat), np.random.default_rng(0), no_report
        )


@every
def test_a_report_that_raises_ends_the_fit(name: str) -> None:
    def stop(done: int, total: int) -> None:
        if done > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        RANKERS.create(name).fit(lesson(20), np.random.default_rng(0), stop)
