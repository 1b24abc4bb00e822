"""The training loop by itself: batches, parts, numbers that break, margins, and long calls."""

import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from learning.errors import DivergedError, OutOfMemoryError
from learning.students.losses import cross_entropy, label_margins
from learning.students.patience import beside
from learning.students.training import Outcome, Training
from learning.types import no_report

ROWS = 60


@dataclass(frozen=True)
class Plan:
    epochs: int = 3
    batch: int = 8
    warmup: float = 0.1
    weight_decay: float = 0.01
    checkpoint_steps: int = 5


@dataclass
class Line:
    """An objective that is no text: a linear map of random points to three labels."""

    most: int = ROWS  # rows that fit the memory
    breaks_at: float = 2.0
    seen: list[np.ndarray] = field(default_factory=list)
    identity: str = "line"

    def __post_init__(self) -> None:
        rng = np.random.default_rng(0)
        self.x = torch.from_numpy(rng.normal(size=(ROWS, 5)).astype(np.float32))
        self.y = torch.eye(3)[torch.arange(ROWS) % 3]
        self.x[:, :3] += 2 * self.y
        self.lengths = rng.integers(3, 90, ROWS)
        self.weights = rng.uniform(0.5, 2, ROWS).astype(np.float32)
        torch.manual_seed(0)
        self.network = torch.nn.Linear(5, 3)

    def groups(self) -> list[dict]:
        return [{"params": list(self.network.parameters()), "peak": 0.05}]

    def outcome(self, rows: np.ndarray, share: float) -> Outcome:
        if len(rows) > self.most:
            raise torch.OutOfMemoryError
        self.seen.append(rows)
        logits = self.network(self.x[rows])
        if share >= self.breaks_at:
            logits = logits * torch.nan
        known = torch.ones(len(rows), 3, dtype=torch.bool)
        told = (logits, self.y[rows], known)
        return Outcome(
            costs=cross_entropy(*told, multi_label=False),
            margins=label_margins(*told, multi_label=False).detach(),
        )


def fit(line: Line, plan: Plan | None = None, checkpoint: Path | None = None, report=no_report):
    training = Training.begin(line, plan or Plan(), np.random.default_rng(3), checkpoint)
    return training.run(report)


def test_one_epoch_takes_every_row_once_in_batches_of_like_length() -> None:
    line = Line()
    fit(line)
    one, two = line.seen[:8], line.seen[8:16]
    assert sorted(np.concatenate(one).tolist()) == list(range(ROWS))
    assert [rows.tolist() for rows in one] != [rows.tolist() for rows in two]
    spread = np.mean([np.ptp(line.lengths[rows]) for rows in one])
    assert spread < np.ptp(line.lengths) / 3


def test_a_batch_that_does_not_fit_is_taken_in_two_parts_of_the_same_step() -> None:
    whole, halved = Line(), Line(most=4)
    fit(whole)
    fit(halved)
    assert {len(rows) for rows in halved.seen} <= {2, 4}
    torch.testing.assert_close(whole.network.weight, halved.network.weight)


def test_half_a_batch_that_does_not_fit_ends_in_a_sentence() -> None:
    with pytest.raises(
        OutOfMemoryError, match=r"hold 4 items of up to \d+ tokens .* smaller batch"
    ):
        fit(Line(most=3))


def test_gradients_that_are_no_numbers_end_the_fit_before_anything_is_kept(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"by step 9 of 24: .* lower learning rates"):
        fit(Line(breaks_at=0.3), Plan(checkpoint_steps=9), tmp_path)
    assert not list(tmp_path.iterdir()), "step 9 was broken already"


def test_margins_of_each_epoch_survive_a_resumed_fit(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 12:
            raise InterruptedError

    expected = fit(Line())
    assert expected.shape == (3, ROWS)
    assert (expected[2] > expected[0]).mean() > 0.8, "the label gets ahead"
    with pytest.raises(InterruptedError):
        fit(Line(), checkpoint=tmp_path, report=stop)
    np.testing.assert_array_equal(fit(Line(), checkpoint=tmp_path), expected)


def test_margins_and_costs_know_what_is_not_known() -> None:
    logits = torch.tensor([[2.0, 5.0, -1.0], [0.5, -0.5, 9.0]])
    known = torch.tensor([[True, False, True], [True, True, False]])
    one = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    single = label_margins(logits, one, known, multi_label=False)
    torch.testing.assert_close(single, torch.tensor([3.0, -1.0]))
    costs = cross_entropy(logits, one, known, multi_label=False)
    expected = [np.log1p(np.exp(-3.0)), np.log1p(np.exp(1.0))]
    np.testing.assert_allclose(costs, expected, rtol=1e-5)
    several = label_margins(logits, one, known, multi_label=True)
    torch.testing.assert_close(several, torch.tensor([1.0, -0.5]))
    nothing = label_margins(logits, one, ~known & known, multi_label=True)
    assert torch.isnan(nothing).all()


def test_a_long_call_hears_a_cancel() -> None:
    never = threading.Event()
    beats = []

    def beat() -> None:
        beats.append(1)
        raise InterruptedError

    with pytest.raises(InterruptedError):
        beside(never.wait, beat)
    never.set()
    assert beats == [1]
    assert beside(lambda: 7, beat) == 7
    with pytest.raises(ZeroDivisionError):
        beside(partial(divmod, 1, 0), beat)
