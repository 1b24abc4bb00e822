"""The measured curves that the repository carries are whole, and are read and written without loss."""

import ast

import pytest

from bench.selection import code, filed, main, rivals
from bench.selection.filed import Task

MEASURED = sorted(filed.FOLDER.glob("*.jsonl"))
LARGEST = 1_500_000  # bytes of all files together


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setattr(filed, "FOLDER", tmp_path)
    forget()
    yield tmp_path
    forget()


def forget():
    filed.about.cache_clear()
    filed.cells.cache_clear()


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path.stem)
def test_every_measured_curve_has_a_score_for_each_number_of_labels(path):
    rounds = len(filed.about(path.stem)["labels"])
    known = {*main.STRATEGIES, *rivals.RIVALS, *rivals.SEVERAL_LABELS}
    for task, cell in filed.cells(path.stem).items():
        assert task.strategy in known
        assert task.start in main.STARTS
        assert cell["code"]
        assert cell["on"]
        assert "error" in cell or (
            len(cell["score"]) == rounds and all(0 <= score <= 1 for score in cell["score"])
        ), task


def test_measured_curves_stay_small_enough_for_a_repository():
    assert sum(path.stat().st_size for path in MEASURED) < LARGEST


def test_a_filed_curve_comes_back_rounded_and_a_newer_one_takes_its_place(shelf):
    task = Task(name="made", start="random", strategy="mixed", seed=10)
    filed.describe("made", labels=[4, 8], full=0.9, note="", code="x")
    filed.put(task, {"score": [0.5, 0.6], "pick": 0.1}, "old")
    filed.put(task, {"score": [0.123456, 1.0], "pick": 0.1}, "new")
    forget()
    assert filed.about("made")["labels"] == [4, 8]
    (only,) = filed.cells("made").values()
    assert only["code"] == "new"
    assert only["score"] == [0.1235, 1.0]
    assert len((shelf / "made.jsonl").read_text().splitlines()) == 2


def test_a_rival_is_measured_anew_when_its_own_row_changes_and_not_when_another_does(monkeypatch):
    parsed = code._parsed

    def of(name, before, after):
        code.of_rival.cache_clear()
        with monkeypatch.context() as patch:
            source = ast.unparse(parsed(code.WORKER))
            assert before in source
            patch.setattr(code, "_parsed", lambda _: ast.parse(source.replace(before, after)))
            found = code.of_rival(name)
        code.of_rival.cache_clear()
        return found

    row, other = "(activeml.Badge, {}, 'clf')", "(activeml.Badge, {'x': 1}, 'clf')"
    for name in ("scikit-activeml:badge", "scikit-activeml:clue"):
        changes = of(name, row, other) != of(name, row, row)
        assert changes == name.endswith("badge")
