"""Tuning by comparison: the costs, and the student that comes of it."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoModel

from learning import students
from learning.errors import ParameterError, ShapeError
from learning.students import patience, tuning
from learning.students.comparisons import decoupled_softmax, label_places, together_costs
from learning.students.contrastive import Contrastive
from learning.students.head import Head
from learning.students.transformer import unit_classifier
from learning.types import TrainingData, no_report
from tests.contracts.conftest import models
from tests.contracts.plugins import WORDS, lesson

__all__ = ["models"]


@pytest.fixture
def tiny(models: Path) -> Contrastive:
    return Contrastive(model=str(models / "text"), epochs=2, batch=20, learning_rate=1e-3)


def named(rows: int = 30):
    return replace(lesson(rows), label_texts=(*WORDS, ""))


def all_known(targets: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(targets, dtype=torch.bool)


class TestCosts:
    def test_texts_of_a_label_want_each_other_before_all_others(self) -> None:
        targets = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
        close = together_costs(torch.eye(2)[[0, 0, 1]], targets, all_known(targets))
        far = together_costs(torch.eye(2)[[0, 1, 0]], targets, all_known(targets))
        expected = np.log1p(np.exp(-10))
        np.testing.assert_allclose(close, [expected, expected, 0], atol=1e-6)
        np.testing.assert_allclose(far[:2], [10 + expected, np.log(2)], rtol=1e-5)

    def test_a_shared_label_of_two_counts_by_half(self) -> None:
        targets = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 1, 1]])
        costs = together_costs(torch.eye(3), targets, all_known(targets))
        torch.testing.assert_close(costs, torch.full((3,), float(np.log(2))))

    def test_a_text_alone_with_its_labels_or_without_any_costs_nothing(self) -> None:
        one = torch.ones(1, 3)
        assert together_costs(torch.ones(1, 2), one, all_known(one)).tolist() == [0]
        vectors = torch.ones(2, 2, requires_grad=True)
        targets = torch.tensor([[1.0, 0], [0, 0]])
        costs = together_costs(vectors, targets, all_known(targets))
        costs.sum().backward()
        assert costs.tolist() == [0, 0]
        assert torch.isfinite(vectors.grad).all()

    def test_who_may_share_a_label_is_not_pushed_away(self) -> None:
        close = torch.tensor([[1.0, 0.0, 0.1], [0.9, 0.2, 0.0], [0.0, 1.0, 0.0]])
        vectors = torch.nn.functional.normalize(close, dim=1).requires_grad_()
        targets = torch.tensor([[1.0, 0], [0, 0], [1, 0]])
        asked = torch.tensor([[True, True], [False, True], [True, True]])
        together_costs(vectors, targets, asked).sum().backward()
        assert vectors.grad[1].tolist() == [0, 0, 0], "whether text 1 has the label is not known"
        vectors.grad = None
        together_costs(vectors, targets, all_known(targets)).sum().backward()
        assert float(vectors.grad[0] @ vectors[1]) > 0, "it is known to be without: away from it"

    def test_what_two_texts_are_known_to_share_draws_them_whatever_else_is_unknown(self) -> None:
        targets = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 1]])
        asked = torch.tensor([[True, False, True], [True, True, True], [True, True, True]])
        costs = together_costs(torch.eye(3), targets, asked)
        torch.testing.assert_close(costs[:2], torch.full((2,), float(np.log(2))))
        assert costs[2] == 0

    def test_with_one_label_decoupled_softmax_is_cross_entropy(self) -> None:
        scores = torch.tensor([[1.0, -2.0, 0.5], [0.1, 0.2, 3.0]])
        found = decoupled_softmax(scores, torch.eye(3)[[0, 2]], torch.ones(2, 3, dtype=torch.bool))
        expected = torch.nn.functional.cross_entropy(scores, torch.tensor([0, 2]), reduction="none")
        torch.testing.assert_close(found, expected)

    def test_labels_of_one_text_do_not_compete(self) -> None:
        scores = torch.tensor([[2.0, -1.0, 0.3]], requires_grad=True)
        known = torch.ones(1, 3, dtype=torch.bool)
        decoupled_softmax(scores, torch.tensor([[1.0, 1.0, 0.0]]), known).sum().backward()
        alone = torch.tensor([[2.0, 5.0, 0.3]], requires_grad=True)
        decoupled_softmax(alone, torch.tensor([[1.0, 1.0, 0.0]]), known).sum().backward()
        assert scores.grad[0, 0] == alone.grad[0, 0] < 0
        assert scores.grad[0, 2] > 0

    def test_unknown_labels_and_rows_without_any_have_no_part(self) -> None:
        scores = torch.tensor([[2.0, 9.0, 0.3], [1.0, 1.0, 1.0]])
        known = torch.tensor([[True, False, True], [True, True, True]])
        targets = torch.tensor([[1.0, 0, 0], [0, 0, 0]])
        costs = decoupled_softmax(scores, targets, known)
        assert costs[0] == pytest.approx(float(np.log1p(np.exp(0.3 - 2.0))))
        assert costs[1] == 0


def test_label_texts_have_a_part_and_word_vectors_stay(tiny: Contrastive, tmp_path: Path) -> None:
    data = named()
    seen: list[tuple[int, int]] = []
    fitted = tiny.fit(
        data, np.random.default_rng(0), lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (4, 4), "two epochs of two steps each"
    without = tiny.fit(lesson(30), np.random.default_rng(0), no_report)
    fresh, _, _ = unit_classifier(tiny.model, None, tiny.tokens, 4)
    states = [each.encoder.state_dict() for each in (fitted.network, without.network, fresh)]
    layer = next(name for name in states[0] if name.endswith("attention.self.query.weight"))
    assert torch.dist(states[0][layer], states[2][layer]) > 0
    assert torch.dist(states[0][layer], states[1][layer]) > 0
    words = "embeddings.word_embeddings.weight"
    assert torch.equal(states[0][words], states[2][words])
    fitted.save(tmp_path)
    again = students.load(tmp_path)
    assert again.student == "contrastive"
    np.testing.assert_array_equal(again.predict(data.texts), fitted.predict(data.texts))


def test_how_far_its_label_is_ahead_is_told_of_each_text_where_every_label_is_called_something(
    tiny: Contrastive,
) -> None:
    data = lesson(30)
    names = tuple(f"label {place}" for place in range(data.labels))
    plan = replace(tiny, epochs=20)
    fitted = plan.fit(replace(data, label_texts=names), np.random.default_rng(0), no_report)
    assert fitted.margins.shape == (20, 30)
    right = (fitted.margins > 0).mean(axis=1)
    assert right[-1] > right[0], "it learns"
    for texts in (None, ("", *names[1:])):
        fitted = tiny.fit(replace(data, label_texts=texts), np.random.default_rng(0), no_report)
        assert np.isnan(fitted.margins).all()


def test_what_was_saved_in_bfloat16_is_tuned_in_float32(models: Path, tmp_path: Path) -> None:
    half = shutil.copytree(models / "text", tmp_path / "half")
    AutoModel.from_pretrained(half).bfloat16().save_pretrained(half)
    network, _, _ = unit_classifier(str(half), None, 16, 3)
    assert {value.dtype for value in network.parameters()} == {torch.float32}


def test_labels_without_a_text_or_unknown_are_not_compared_with() -> None:
    assert label_places(lesson(30)).tolist() == []
    assert label_places(named()).tolist() == [0, 1, 2]


def test_goes_on_behind_the_checkpoint(tiny: Contrastive, tmp_path: Path) -> None:
    plan = replace(tiny, checkpoint_steps=1)

    def killed(done: int, total: int) -> None:
        if done == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        plan.fit(named(), np.random.default_rng(3), killed, None, tmp_path)
    seen: list[int] = []
    resumed = plan.fit(
        named(), np.random.default_rng(3), lambda done, total: seen.append(done), None, tmp_path
    )
    assert [done for done in seen if done] == [3, 4]
    whole = plan.fit(named(), np.random.default_rng(3), no_report)
    np.testing.assert_array_equal(resumed.predict(WORDS), whole.predict(WORDS))


def test_a_finished_fit_is_found_again_and_hears_a_cancel_behind_its_steps(
    tiny: Contrastive, tmp_path: Path, monkeypatch
) -> None:
    whole = tiny.fit(named(), np.random.default_rng(3), no_report)
    monkeypatch.setattr(patience, "BEAT_SECONDS", 0.0)
    behind: list[int] = []

    def cancelled(done: int, total: int) -> None:
        if done == total:
            behind.append(done)
        if len(behind) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        tiny.fit(named(), np.random.default_rng(3), cancelled, None, tmp_path)
    seen: list[int] = []
    rng, other = np.random.default_rng(3), np.random.default_rng(3)
    again = tiny.fit(named(), rng, lambda done, total: seen.append(done), None, tmp_path)
    assert set(seen) == {0, 4}, "no step is taken anew"
    np.testing.assert_array_equal(again.predict(WORDS), whole.predict(WORDS))
    tiny.fit(named(), other, no_report)
    assert rng.random() == other.random(), "what follows draws alike"


def test_reading_is_heard_from_between_layers(tiny: Contrastive, monkeypatch) -> None:
    fitted = tiny.fit(named(), np.random.default_rng(3), no_report)
    quiet = fitted.predict(WORDS)
    monkeypatch.setattr(patience, "BEAT_SECONDS", 0.0)
    beats: list[int] = []
    with fitted.listening(lambda: beats.append(1)):
        np.testing.assert_array_equal(fitted.predict(WORDS), quiet)
    fitted.predict(WORDS)
    assert beats == [1], "it has one layer, and nobody listens any more"


@pytest.mark.parametrize("called", [True, False])
def test_what_the_encoder_knows_by_heart_makes_it_no_surer_of_new_texts(
    called: bool, monkeypatch
) -> None:
    rng = np.random.default_rng(0)

    def near(labels: np.ndarray, spread: float) -> np.ndarray:
        points = np.eye(6, 24)[labels] + spread * rng.normal(size=(len(labels), 24))
        unit = points / np.linalg.norm(points, axis=1, keepdims=True)
        return unit.astype(np.float32)

    tuned_on, new = np.arange(48) % 6, np.arange(600) % 6
    vectors = {"texts": near(tuned_on, 0.05), "names": near(np.arange(6), 0.05)}
    monkeypatch.setattr(tuning, "encoded", lambda _network, tokens, _beat: vectors[tokens])
    made = SimpleNamespace(
        data=TrainingData(targets=np.eye(6, dtype=np.float32)[tuned_on], texts=["text"] * 48),
        columns=np.arange(6) if called else np.arange(0),
        network=SimpleNamespace(dimensions=24),
        inputs="texts",
        called="names",
    )
    said = tuning._head(made, rng, lambda: None).predict(near(new, 0.45))
    right = float((said.argmax(axis=1) == new).mean())
    assert 0.7 < right < 0.9
    assert float(said.max(axis=1).mean()) < right + 0.05


def test_more_texts_are_seen_fewer_times(tiny: Contrastive) -> None:
    seen: list[int] = []
    few = replace(tiny, most=30)
    few.fit(lesson(30), np.random.default_rng(0), lambda done, total: seen.append(total))
    assert seen[-1] == 2


def test_refuses_encodings_alone_and_bad_parameters(tiny: Contrastive) -> None:
    with pytest.raises(ShapeError, match="texts"):
        tiny.fit(replace(lesson(), texts=None), np.random.default_rng(0), no_report)
    for wrong in ({"batch": 1}, {"warmup": 1.0}, {"learning_rate": 0.0}, {"most": 0}):
        with pytest.raises(ParameterError):
            Contrastive(**wrong)


@pytest.mark.parametrize(
    ("rows", "labels", "told"),
    [
        (23, 6, "4 to 50 answers a label, here 24 to 300 in all, and these are 23"),
        (24, 6, ""),
        (300, 6, ""),
        (301, 6, "these are 301"),
        (200, 20, ""),
        (200, 21, "up to 20 labels"),
    ],
)
def test_it_says_where_it_does_not_pay(rows, labels, told):
    said = students.unpaid(Contrastive(), rows, labels)
    assert told in said
    assert bool(said) == bool(told)
    assert students.unpaid(Head(), rows, labels) == "", "one that knows of nothing says nothing"
