"""The pool's probabilities on disk."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from learning.errors import DamagedFileError, PauseError, ShapeError
from learning.scores import entropies, margins
from learning.students import predictions
from learning.students.head import Head
from learning.students.predictions import read_predictions, write_predictions, write_probabilities
from learning.types import no_report
from tests.contracts.plugins import lesson


def table(rows: int, labels: int, seed: int = 0) -> np.ndarray:
    p = np.random.default_rng(seed).gamma(0.1, size=(rows, labels)).astype(np.float32)
    return p / p.sum(axis=1, keepdims=True)


def test_what_a_student_says_comes_back_row_by_row(tmp_path: Path) -> None:
    data = lesson()
    head = Head().fit(data, np.random.default_rng(0), no_report)
    seen: list[tuple[int, int]] = []
    encodings = np.tile(data.encodings, (200, 1))
    written = write_predictions(
        tmp_path, head, encodings, lambda done, total: seen.append((done, total))
    )
    p = head.predict(encodings)
    assert written.rows == 12_000
    assert seen == [(8192, 12_000), (12_000, 12_000)]
    np.testing.assert_array_equal(written.probabilities, p)
    np.testing.assert_array_equal(written.row(77), p[77])
    np.testing.assert_array_equal(written.margins, margins(p, multi_label=False))
    np.testing.assert_array_equal(written.entropies, entropies(p, multi_label=False))
    top = written.top(5, 2)
    assert [column for column, _ in top] == np.argsort(-p[5])[:2].tolist()
    assert isinstance(written.probabilities, np.memmap)


class Reader:
    """A student that reads for long: it beats at each text, and knows nothing."""

    labels, multi_label = 2, False

    @contextmanager
    def listening(self, beat):
        self.beat = beat
        yield
        del self.beat

    def predict(self, items):
        for _ in items:
            self.beat()
        return np.full((len(items), 2), 0.5, dtype=np.float32)


def test_a_cancel_is_heard_while_a_block_of_texts_is_read(tmp_path: Path) -> None:
    seen: list[int] = []

    def cancelled(done: int, total: int) -> None:
        seen.append(done)
        if len(seen) == 600:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        write_predictions(tmp_path, Reader(), ["text"] * 1_000, cancelled)
    assert seen == [0] * 512 + [512] * 88
    assert not (tmp_path / "manifest.json").exists()


@dataclass
class Known:
    """A student that says what stands in a table, and notes whom it was asked about."""

    said: np.ndarray
    multi_label: bool = False
    asked: list[int] = field(default_factory=list)

    @property
    def labels(self) -> int:
        return self.said.shape[1]

    def predict(self, items: list[str]) -> np.ndarray:
        rows = [int(each) for each in items]
        self.asked += rows
        return self.said[rows]


@pytest.mark.parametrize("labels", [3, 1_200])
def test_a_pause_keeps_whole_blocks_and_the_same_work_goes_on_behind_them(
    tmp_path: Path, labels: int
) -> None:
    table_of = table(1_300, labels)
    items = [str(row) for row in range(1_300)]
    whole = write_predictions(tmp_path / "whole", Known(table_of), items)

    def pauses(done: int, total: int) -> None:
        if done >= 1_024:
            raise PauseError

    folder = tmp_path / "parts"
    with pytest.raises(PauseError):
        write_predictions(folder, Known(table_of), items, pauses, work="a")
    rest = Known(table_of)
    for name in folder.glob("*.bin"):
        with name.open("ab") as stream:  # what a worker wrote that was killed as it went on
            stream.write(b"torn")
    parts = write_predictions(folder, rest, items, work="a")
    assert rest.asked == list(range(1_024, 1_300))
    np.testing.assert_array_equal(parts.probabilities, whole.probabilities)
    np.testing.assert_array_equal(parts.margins, whole.margins)
    assert parts.rows == whole.rows == 1_300
    assert not (folder / "begun.json").exists()


def test_another_student_does_not_go_on_with_what_one_had_begun(tmp_path: Path) -> None:
    first, second = table(600, 3), table(600, 3)[::-1]
    items = [str(row) for row in range(600)]

    def pauses(done: int, total: int) -> None:
        raise PauseError

    with pytest.raises(PauseError):
        write_predictions(tmp_path, Known(first), items, pauses, work="a")
    written = write_predictions(tmp_path, Known(second), items, work="b")
    np.testing.assert_array_equal(written.probabilities, second)
    assert len(list(tmp_path.glob("*.bin"))) == 3


def test_above_a_thousand_labels_the_likeliest_are_kept(tmp_path: Path) -> None:
    p = table(30, 1500)
    written = write_probabilities(tmp_path, [p[:10], p[10:]], 1500, multi_label=False)
    assert written.probabilities.shape == written.columns.shape == (30, 64)
    order = np.argsort(-p, axis=1)[:, :64]
    np.testing.assert_array_equal(written.probabilities, np.take_along_axis(p, order, axis=1))
    np.testing.assert_allclose(written.probabilities.sum(axis=1) + written.remainder, 1, atol=1e-5)
    np.testing.assert_array_equal(written.margins, margins(p, multi_label=False))
    assert written.top(3)[0] == (int(p[3].argmax()), pytest.approx(float(p[3].max())))
    assert written.row(3)[p[3].argmax()] == p[3].max()


def test_a_new_write_replaces_the_old_one_and_old_readers_go_on(tmp_path: Path) -> None:
    first, second = table(20, 3, 1), table(25, 4, 2)
    old = write_probabilities(tmp_path, [first], 3, multi_label=False)
    new = write_probabilities(tmp_path, [second], 4, multi_label=True)
    np.testing.assert_array_equal(old.probabilities, first)
    np.testing.assert_array_equal(new.probabilities, second)
    assert new.multi_label
    assert len(list(tmp_path.iterdir())) == 4, "three columns and the manifest"


def test_a_write_that_dies_leaves_the_former_one(tmp_path: Path) -> None:
    write_probabilities(tmp_path, [table(20, 3)], 3, multi_label=False)

    def dies():
        yield table(8, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_probabilities(tmp_path, dies(), 3, multi_label=False)
    assert read_predictions(tmp_path).rows == 20
    write_probabilities(tmp_path, [table(5, 3)], 3, multi_label=False)
    assert len(list(tmp_path.iterdir())) == 4, "what died was swept away"


def test_a_reader_between_two_writes_looks_again(tmp_path: Path, monkeypatch) -> None:
    write_probabilities(tmp_path, [table(20, 3)], 3, multi_label=False)
    stale = predictions.read_json(tmp_path / "manifest.json")
    write_probabilities(tmp_path, [table(9, 3)], 3, multi_label=False)
    fresh = predictions.read_json
    answers = [stale]
    monkeypatch.setattr(
        predictions, "read_json", lambda path: answers.pop() if answers else fresh(path)
    )
    assert read_predictions(tmp_path).rows == 9


def test_no_rows_cut_files_and_odd_blocks(tmp_path: Path) -> None:
    with pytest.raises(DamagedFileError, match="missing"):
        read_predictions(tmp_path)
    assert write_probabilities(tmp_path, [], 3, multi_label=False).rows == 0
    with pytest.raises(ShapeError):
        write_probabilities(tmp_path, [table(3, 2)], 3, multi_label=False)
    write_probabilities(tmp_path, [table(3, 3)], 3, multi_label=False)
    next(tmp_path.glob("margins-*")).write_bytes(b"")
    with pytest.raises(DamagedFileError, match="bytes"):
        read_predictions(tmp_path)


class TestScores:
    def test_margin(self) -> None:
        p = np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [1, 0, 0]], dtype=np.float32)
        np.testing.assert_allclose(margins(p, multi_label=False), [0.2, 0, 1], atol=1e-6)
        np.testing.assert_allclose(margins(p, multi_label=True), [0, 0.2, 1], atol=1e-6)
        assert margins(np.ones((2, 1), dtype=np.float32), multi_label=False).tolist() == [1, 1]

    def test_entropy(self) -> None:
        p = np.array([[0.5, 0.5], [1, 0]], dtype=np.float32)
        np.testing.assert_allclose(entropies(p, multi_label=False), [np.log(2), 0], atol=1e-6)
        np.testing.assert_allclose(entropies(p, multi_label=True), [np.log(2), 0], atol=1e-6)

    def test_small_margins_survive_that_float16_would_round_away(self) -> None:
        p = np.array([[0.50001, 0.49999], [0.5, 0.5]], dtype=np.float32)
        assert margins(p, multi_label=False)[0] > 0
        assert margins(p.astype(np.float16), multi_label=False)[0] == 0
