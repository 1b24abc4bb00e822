"""The measured cases of label quality that the repository carries: whole, small, and of one code each."""

import json

import pytest

from bench.quality import filed
from bench.quality.gathered import Case

MEASURED = sorted(filed.FOLDER.glob("*.jsonl"))
CASE = Case(name="made", grid="quick", seed=10)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    monkeypatch.setattr(filed, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path.stem)
def test_every_measured_case_has_its_figures_between_0_and_1(path):
    for line in path.read_text().splitlines():
        cell = json.loads(line)
        assert {"what", "grid", "seed", "code", "on", "slope"} <= set(cell)
        assert "blend" in cell["figures"]
        for figures in cell["figures"].values():
            assert all(0 <= share <= 1 for share in figures.values())


def test_a_case_is_measured_anew_when_the_code_has_changed(shelf):
    filed.put(CASE, "old", slope=[0.123456])
    assert filed.get(CASE, "old")["slope"] == [0.1235]
    assert filed.get(CASE, "new") is None
    filed.put(CASE, "new", slope=[1.0])
    assert filed.get(CASE, "old") is None


def test_more_about_a_case_joins_what_is_filed_and_leaves_others_alone(shelf):
    other = Case(name="made", grid="quick", seed=11)
    filed.put(other, "code", slope=[2.0])
    filed.put(CASE, "code", slope=[1.0])
    filed.put(CASE, "code", combined={"ap": 0.5})
    found = filed.get(CASE, "code")
    assert (found["slope"], found["combined"]) == ([1.0], {"ap": 0.5})
    assert filed.get(other, "code")["slope"] == [2.0]
