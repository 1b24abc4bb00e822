"""The training loop by itself: batches, parts, numbers that break, margins, and long calls."""

import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from learning.errors import DivergedError, OutOfMemoryError, PauseError
from learning.students import checkpoints, patience, training
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


class Moving(torch.nn.Sequential):
    """Layers between which one is heard, with a running mean that moves in every pass."""

    def __init__(self) -> None:
        super().__init__()
        several = [torch.nn.Linear(5, 5), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 3)]
        self.several = torch.nn.ModuleList(several)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.several:
            x = layer(x)
        return x


def moving() -> Line:
    line = Line()
    torch.manual_seed(0)
    line.network = Moving()
    return line


def test_a_pause_ends_the_fit_with_the_state_between_two_steps_that_is_kept(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(patience, "BEAT_SECONDS", 0.0)
    expected, told = moving(), []
    fit(expected)
    for pauses in (
        1,
        2,
        3,
        40,
    ):  # reports: before the first step, in it, at its end, in a later one
        folder, line, told = tmp_path / str(pauses), moving(), []

        def report(done: int, total: int, told=told, pauses=pauses) -> None:
            told.append(done)
            if len(told) >= pauses:
                raise PauseError

        with pytest.raises(PauseError):
            fit(line, Plan(checkpoint_steps=1_000), folder, report)
        whole = told[-1] or int(pauses > 1)  # the first step of a call is not left
        assert [each.name for each in folder.glob("state-*")] == [f"state-{whole}.safetensors"]
        rest = moving()
        fit(rest, Plan(checkpoint_steps=1_000), folder)
        assert len(rest.seen) == 24 - whole, "no step is taken twice"
        for name, value in expected.network.state_dict().items():
            assert torch.equal(rest.network.state_dict()[name], value), name


def test_a_pause_behind_the_last_step_leaves_a_fit_that_ends_at_once(tmp_path: Path) -> None:
    def report(done: int, total: int) -> None:
        if done == total:
            raise PauseError

    with pytest.raises(PauseError):
        fit(Line(), checkpoint=tmp_path, report=report)
    rest = Line()
    fit(rest, checkpoint=tmp_path)
    assert not rest.seen


class Clock:
    """Time that passes as it is told: so much in a step, so much while a checkpoint is written."""

    def __init__(self, monkeypatch, step: float, write: float = 0.0) -> None:
        self.now, self.step, self.kept = 0.0, step, []
        real = checkpoints.write

        def slow(folder, identity, state, position) -> None:
            real(folder, identity, state, position)
            self.now += write
            self.kept.append(position["step"])

        monkeypatch.setattr(checkpoints, "write", slow)
        monkeypatch.setattr(training, "time", SimpleNamespace(monotonic=lambda: self.now))

    def report(self, done: int, total: int) -> None:
        self.now += self.step


def test_slow_steps_are_kept_every_half_minute(tmp_path: Path, monkeypatch) -> None:
    clock = Clock(monkeypatch, step=12)
    seen: list[int] = []

    def killed(done: int, total: int) -> None:
        clock.report(done, total)
        if done == 10:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fit(Line(), Plan(checkpoint_steps=1000), tmp_path, killed)
    assert clock.kept == [3, 6, 9]
    again = Line()
    fit(again, Plan(checkpoint_steps=1000), tmp_path, lambda done, total: seen.append(done))
    assert seen[:2] == [9, 10]
    whole = Line()
    fit(whole, Plan(checkpoint_steps=1000))
    assert torch.equal(again.network.weight, whole.network.weight)


def test_fast_steps_are_kept_by_their_number_and_slow_checkpoints_seldom(
    tmp_path: Path, monkeypatch
) -> None:
    fast = Clock(monkeypatch, step=0.01)
    fit(Line(), Plan(checkpoint_steps=10), tmp_path / "fast", fast.report)
    assert fast.kept == [10, 20, 24]
    slow = Clock(monkeypatch, step=12, write=5)
    fit(Line(), Plan(checkpoint_steps=1000), tmp_path / "slow", slow.report)
    assert slow.kept == [3, 12, 21, 24], "a twentieth of the time at most"


def test_a_finished_fit_is_found_again(tmp_path: Path) -> None:
    line, again, seen = Line(), Line(), []
    expected = fit(line, checkpoint=tmp_path)
    found = fit(again, checkpoint=tmp_path, report=lambda done, total: seen.append((done, total)))
    assert seen == [(24, 24)]
    assert not again.seen
    np.testing.assert_array_equal(found, expected)
    assert torch.equal(again.network.weight, line.network.weight)


class Stack(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(torch.nn.Linear(5, 5) for _ in range(3))
        self.head = torch.nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class Deep(Line):
    """The same with three layers in a row, which a step can be interrupted between."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.network = Stack()


def test_a_cancel_is_heard_inside_a_step_and_listening_changes_no_bit(monkeypatch) -> None:
    deaf = Deep()
    fit(deaf)
    monkeypatch.setattr(patience, "BEAT_SECONDS", 0.0)
    heard, steps = Deep(), []
    fit(heard, report=lambda done, total: steps.append(done))
    assert steps.count(1) == 1 + 2 * 3, "a step is heard from on the way up and down each layer"
    for one, other in zip(deaf.network.parameters(), heard.network.parameters(), strict=True):
        assert torch.equal(one, other)
    for moment in (2, 6):  # on the way up, on the way down
        told = []

        def cancelled(done: int, total: int, told=told, moment=moment) -> None:
            told.append(done)
            if told.count(1) == moment:
                raise InterruptedError

        line = Deep()
        with pytest.raises(InterruptedError):
            fit(line, report=cancelled)
        assert told[-1] == 1


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
