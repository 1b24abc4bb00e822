"""Prompts: versions, differences, restored ones, and what they show beside the items."""

import json
import re
from functools import partial

import numpy as np
import pytest

from annotator.actions.desk import assigning
from annotator.actions.teachers import demonstrating, prompt_trials, prompts, teacher_runs, teachers
from annotator.actions.trust import canarying
from annotator.errors import ConflictError, InvalidError, NotFoundError
from annotator.models import Annotation, Part, TeacherPrompt, TeacherRun
from tests.annotator.audited import answer_all
from tests.annotator.teaching import teacher_on, work_off
from tests.annotator.web.helpers import encode
from tests.factories import make_items, make_project
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server():
    with Loopback(plays.good) as running:
        yield running


def test_every_change_of_what_is_told_is_a_version(cast, server):
    _, teacher = teacher_on(server, cast)
    assert prompts.latest(teacher).version == 1
    teachers.change_teacher(teacher, cast.lea, concurrency=2, params={"price_in": 1.0})
    assert prompts.latest(teacher).version == 1, "money is not told"
    second = prompts.change(teacher, cast.lea, instructions="Be brave.\nBe exact.")
    third = prompts.change(teacher, cast.lea, instructions="Be brave.\nBe quick.", reason=True)
    assert (second.version, third.version, third.created_by) == (2, 3, cast.lea)
    lines = {(line.kind, line.text) for line in prompts.difference(second, third)}
    assert {("same", "Be brave."), ("removed", "Be exact."), ("added", "Be quick.")} <= lines
    assert ("added", "Asked for beside the label: confidence, reason") in lines
    fourth = prompts.restore(teacher, 2, cast.lea)
    teacher.refresh_from_db()
    assert (fourth.version, fourth.settings) == (4, second.settings)
    assert teacher.params["instructions"] == "Be brave.\nBe exact."
    assert prompts.change(teacher, cast.lea) == fourth, "nothing changed"
    with pytest.raises(NotFoundError):
        prompts.restore(teacher, 9, cast.lea)
    with pytest.raises(InvalidError, match="no setting"):
        prompts.change(teacher, cast.lea, model="other")
    with pytest.raises(InvalidError):
        prompts.change(teacher, cast.lea, demonstrations=99)
    assert TeacherPrompt.objects.count() == 4


def test_a_run_keeps_the_version_that_it_told(cast, server):
    project, teacher = teacher_on(server, cast)
    run = teacher_runs.start_run(project, teacher, None, 3)
    prompts.change(teacher, cast.lea, instructions="Something else.")
    run = work_off(run)
    assert (run.state, run.basis) == ("done", {"prompt": 1})
    assert not any("Something else" in plays.system_of(each) for each in server.requests)
    later = work_off(teacher_runs.start_run(project, teacher, None, 3))
    assert later.basis == {"prompt": 2}
    assert "Something else" in plays.system_of(server.requests[-1])


def test_only_language_models_are_told_anything(cast):
    teacher = teachers.create_teacher(make_project(cast), None, name="A", plugin="zero-shot")
    with pytest.raises(ConflictError, match="told nothing"):
        prompts.change(teacher, None, instructions="x")
    assert prompts.latest(teacher) is None


def test_prompts_show_what_people_decided_and_only_the_likely_labels(cast, server, monkeypatch):
    monkeypatch.setattr(canarying, "SHARE", 1e-9)  # a planted item shows no solved ones
    project, teacher = teacher_on(
        server, cast, items=0, params={"demonstrations": 2, "candidates": 2}
    )
    items = make_items(project, 160)
    group = np.arange(160) % 3
    points = np.eye(4)[group] + 0.1 * np.random.default_rng(0).normal(size=(160, 4))
    assert "not encoded" in run_of(project, teacher, 3).error
    encode(project, points)
    monkeypatch.setattr(demonstrating.encoding, "ready_encoder", lambda project: Mute())
    labels = list(project.labels.order_by("column"))
    answer_all(
        project,
        assigning.voice_of(project, cast.ana),
        items[:140],
        [labels[group[item.number]].pk for item in items[:140]],
    )
    project.items.filter(number__lt=100).update(part=Part.SEED, order_key=0.0001)
    project.items.filter(number__gte=100).update(part="", order_key=0.9)
    project.items.filter(number=100).update(part=Part.EVALUATION)
    run = run_of(project, teacher, 5)
    assert run.state == "done", run.error
    for request in server.requests:
        shown = plays.user_of(request)
        solved = [line for line in shown.splitlines() if line.startswith("Answer:")]
        assert len(solved) == 2
        assert "ticket number 100\n" not in shown, "evaluation items teach nothing"
        assert len(plays.label_ids(request)) == 2
        asked = int(next(iter(plays.items_of(request).values())).split()[-1])
        right = str(labels[group[asked]].pk)
        assert {json.loads(line.removeprefix("Answer: "))["label"] for line in solved} == {right}
        assert right in plays.label_ids(request)
    facts = run.facts
    assert facts["solved"] == 139
    assert facts["candidates"]["n"] == 100
    assert facts["candidates"]["recall"] == 1.0
    assert facts["candidates"]["low"] < 1.0
    assert facts["candidates"]["enough"] == 1
    request = server.requests[-1]
    asked = int(next(iter(plays.items_of(request).values())).split()[-1])
    words = partial(Mute.encode, None)
    monkeypatch.setattr(demonstrating.modelclient, "encode", lambda texts, **_: words(texts))
    seen = prompts.written(teacher, asked)
    assert (seen.examples, seen.labels, seen.missing) == (2, 2, "")
    assert unmarked(seen.system) == unmarked(plays.system_of(request)), "exactly as it was sent"
    assert unmarked(seen.user) == unmarked(plays.user_of(request))


def unmarked(text):
    """Without what is drawn anew for each call."""
    return re.sub(r"[0-9a-f]{6,}", "·", text)


def test_a_prompt_is_seen_also_while_examples_cannot_be_chosen(cast, server):
    _, teacher = teacher_on(server, cast, params={"demonstrations": 2})
    seen = prompts.written(teacher, 3)
    assert "not encoded" in seen.missing
    assert "ticket number 3" in seen.user
    assert "ticket number 3" not in seen.system
    assert seen.answer_format["properties"]["answers"]
    with pytest.raises(NotFoundError, match="no such item"):
        prompts.written(teacher, 99)


def run_of(project, teacher, count):
    return work_off(teacher_runs.start_run(project, teacher, None, count))


class Mute:
    """An encoder to which the labels' names say nothing, so that verdicts alone tell."""

    def encode(self, items):
        return np.zeros((len(items), 4), dtype=np.float32)


def test_versions_are_compared_on_items_that_people_answered_blind(cast):
    def torn(request, wire):
        """Right when told to be brave, always the first label otherwise."""
        if "brave" in plays.system_of(request):
            return plays.good(request, wire)
        first = sorted(plays.label_ids(request), key=int)[0]
        return plays.with_label(first)(request, wire)

    with Loopback(torn) as server:
        texts = [f"{name.lower()} {n}" for n in range(12) for name in ("Billing", "Login")]
        project, teacher = teacher_on(server, cast, items=0, texts=texts)
        ids = {label.name: label.pk for label in project.labels.all()}
        items = list(project.items.order_by("number"))
        truth = [
            int(plays.right_label(each.text, [str(pk) for pk in ids.values()])) for each in items
        ]
        answer_all(project, assigning.voice_of(project, cast.ana), items, truth)
        project.items.update(part=Part.SEED)
        assert prompt_trials.latest(teacher) is None
        prompts.change(teacher, cast.lea, instructions="Be brave.")
        with pytest.raises(InvalidError, match="2 to 5"):
            prompt_trials.start(teacher, [1], cast.lea)
        work_off(prompt_trials.start(teacher, [2, 1], cast.lea))
        assert prompt_trials.latest(teacher).live is not None
        work_off(TeacherRun.objects.latest("pk"))
    found = prompt_trials.latest(teacher)
    assert (found.by, found.items, found.live) == ("audit", 24, None)
    assert [row.name for row in found.rows] == ["2", "1"]
    assert [row.standing for row in found.rows] == ["best", "worse"]
    assert found.rows[0].right.value == 1.0
    assert not Annotation.objects.filter(annotator=teacher.voice).exists()


def test_a_comparison_that_cannot_go_on_says_why(cast, server):
    _, teacher = teacher_on(server, cast, items=20)
    prompts.change(teacher, cast.lea, instructions="Be brave.")
    run = prompt_trials.start(teacher, [1, 2], cast.lea)
    TeacherPrompt.objects.filter(teacher=teacher, version=2).delete()
    assert work_off(run).state == "failed"
    found = prompt_trials.latest(teacher)
    assert (found.live, found.rows) == (None, [])
    assert "version" in found.problem
