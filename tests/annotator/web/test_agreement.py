"""The page of agreement and skill: what it tells, and what it says while it cannot tell."""

import pytest

from annotator.actions.verdicts import agreeing, skills
from tests.annotator.actions.test_skills import crowd, say, voices_of
from tests.annotator.audited import running
from tests.factories import make_items

pytestmark = pytest.mark.django_db


def url(project):
    return f"/projects/{project.pk}/agreement"


@pytest.fixture
def answered(project, monkeypatch):
    """Sixty items with four answers each, learnt from without workers."""
    from annotator import jobs
    from annotator.actions.verdicts import settling

    monkeypatch.setattr(jobs, "ring", lambda *args, **kwargs: None)
    start = project.item_count
    make_items(project, 60)
    voices = voices_of(project, "Ana's sheet", "sound", "fair", "poor")
    crowd(project, voices, 60, first=start)
    settling.settle_now(project)
    skills.run_skills(running(project))
    return project, voices


def test_an_empty_page_teaches(lea, project):
    page = lea.get(url(project)).content.decode()
    assert "Nothing was answered twice yet" in page
    assert "Open settings" in page


def test_figures_skills_labels_and_pairs_are_told_with_intervals(lea, answered):
    project, _ = answered
    page = lea.get(url(project)).content.decode()
    figures = agreeing.kept(project)
    assert f"{figures['alpha']['value']:.2f}" in page
    assert f"{figures['alpha']['low']:.2f} – {figures['alpha']['high']:.2f}" in page
    assert page.count("Ana&#x27;s sheet") == 4, "in the table of skills, and in three pairs"
    assert "taken for" in page
    assert "Agreement over time" in page
    assert "Too few" not in page


def test_few_double_answers_are_said_to_be_few(lea, project, monkeypatch):
    from annotator import jobs
    from annotator.actions.verdicts import settling

    monkeypatch.setattr(jobs, "ring", lambda *args, **kwargs: None)
    start = project.item_count
    make_items(project, 3)
    label = project.labels.first().pk
    voices = voices_of(project, "one", "other")
    say(project, [(start + n, voice, label) for n in range(3) for voice in voices])
    settling.settle_now(project)
    skills.run_skills(running(project))
    page = lea.get(url(project)).content.decode()
    assert "Too few to judge by: 3 items have several answers" in page
    assert "7 more" in page
    assert "needs 20 items" in page


def test_what_a_file_named_its_voices_is_escaped(lea, answered):
    project, voices = answered
    voices[1].name = "<script>alert(1)</script>"
    voices[1].save()
    page = lea.get(url(project)).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
