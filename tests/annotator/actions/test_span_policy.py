"""A policy in a project of spans: the teacher's marks become verdicts where all of them are likely right."""

import json
import uuid
from types import SimpleNamespace

import numpy as np
import pytest
from django.urls import reverse

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders import reading_words
from annotator.actions.encoders.encoding import current_encoding, wish_encoding
from annotator.actions.exports import exporting
from annotator.actions.routing import candidates, overview, policies, proving, routing, scoring
from annotator.actions.students import evaluating, marked_lessons, tagger_words, tagging
from annotator.actions.teachers import teacher_runs
from annotator.actions.trust import drifting, qualifying
from annotator.actions.verdicts import settling
from annotator.models import (
    Annotation,
    Calibration,
    Double,
    Item,
    Job,
    JobState,
    Part,
    Project,
    Qualification,
    Routing,
    TeacherAnswer,
    TeacherRun,
    Verdict,
)
from tests.annotator.actions.test_loop import work
from tests.annotator.actions.test_tagging import CITIES, NAMES, marked, text
from tests.annotator.routed import work as route_jobs
from tests.annotator.teaching import teacher_on, work_off
from tests.factories import make_items, make_project
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)

ITEMS = 130


def errs(words):
    """A third of the texts: there the city is left out, and the teacher is unsure."""
    number = words.partition(":")[0]
    return number.isdigit() and int(number) % 3 == 0


def marking(request):
    """Marks names and cities; leaves the city out where it errs, and says that it is less sure."""
    person, place = sorted(plays.label_ids(request), key=int)  # in whatever order they are listed
    entries = []
    for key, words in plays.items_of(request).items():
        sure = 0.6 if errs(words) else 0.95
        told = [(one, person) for one in NAMES] + [(one, place) for one in CITIES]
        candidates = [
            {"before": "", "quote": one, "label": label, "verdict": True, "confidence": sure}
            for one, label in told
            if one in words and not (label == place and errs(words))
        ]
        entries.append({"item": key, "candidates": candidates})
    return json.dumps({"answers": entries})


@pytest.fixture
def project(cast):
    made = make_project(cast, labels=("Person", "Place"), task_type="spans", audit_share=0)
    make_items(made, [text(number) for number in range(ITEMS)])
    wish_encoding(made)
    work()
    return Project.objects.get(pk=made.pk)


@pytest.fixture
def taught(cast, project):
    with Loopback(plays.says(marking)) as server:
        yield teacher_on(server, cast, project=project, items=0, concurrency=1)


def people_mark(project, cast, items, part=""):
    """Ana marks these, rightly."""
    voice = assigning.voice_of(project, cast.ana)
    values = {item.pk: marked(project, item) for item in items}
    Annotation.objects.bulk_create(
        Annotation(
            uuid=uuid.uuid4(), project=project, item=item, annotator=voice, seconds=6.0,
            value=values[item.pk], stream="audit" if part else "active",
            labels=sorted({span["label"] for span in values[item.pk]["spans"]}),
        )
        for item in items
    )  # fmt: skip
    rows = Item.objects.filter(pk__in=[item.pk for item in items])
    rows.update(answers=1, open=False, **({"part": part} if part else {}))
    settling.settle_now(project)


def drawn_sample(project, cast, counts):
    """People answer the first items of the secret order, so many of each part."""
    order = list(Item.objects.filter(project=project).order_by("order_key"))
    start = 0
    for part, count in counts.items():
        people_mark(project, cast, order[start : start + count], part)
        start += count
    Project.objects.filter(pk=project.pk).update(audit_cutoff=order[start - 1].order_key)
    project.refresh_from_db()


def right(verdict):
    """Whether what stands is the truth."""
    return verdict.value == {
        "spans": sorted(
            marked(verdict.project, verdict.item)["spans"], key=lambda span: span["start"]
        )
    }


def under_policy(project, teacher, cast, **settings):
    """The seed answered by both, 50 more words of the teacher's, policy on and routed once."""
    chosen = {
        "seed_size": 40,
        "unqualified": True,
        "confidence": 0.8,
        "human_share": 0.6,
        **settings,
    }
    policies.change_policy(project, cast.lea, teacher=teacher, **chosen)
    work_off(policies.prepare(project, cast.lea))
    seed = list(Item.objects.filter(pk__in=Double.objects.values("item")))
    people_mark(project, cast, seed)
    work_off(teacher_runs.start_run(project, teacher, None, 50))
    settling.settle_now(project)
    policies.change_policy(project, cast.lea, enabled=True)
    route_jobs("route")
    project.refresh_from_db()


def test_marks_become_verdicts_where_all_of_them_are_likely_right(
    taught, cast, client, monkeypatch
):
    project, teacher = taught
    under_policy(project, teacher, cast)
    said = Verdict.objects.filter(project=project, source="teacher").select_related("item")
    said = list(said.select_related("project"))
    assert len(said) >= 20
    assert all(right(one) for one in said), "where it says that it is sure, it is right"
    words = Annotation.objects.filter(annotator=teacher.voice)
    unsure = [one.item_id for one in words.select_related("item") if errs(one.item.text)]
    assert unsure
    assert not {one.item_id for one in said} & set(unsure)
    assert proving.acceptances(project) == []
    kept = Routing.objects.get(pk=project.pk)
    assert kept.seed == 40
    assert 0.1 < kept.facts["error"][0] < 0.6
    qualities = [point["quality"]["value"] for point in kept.curve["points"]]
    assert (qualities[-1], qualities == sorted(qualities)) == (1, True)
    assert "loop" not in kept.curve
    assert kept.numbers
    assert "the teacher is wrong here with a chance of" in kept.reasons[0]
    client.force_login(cast.lea)
    page = client.get(reverse("routing", args=[project.pk])).content.decode()
    assert "An item is right when every mark is" in page
    assert "Save the policy" in page
    with monkeypatch.context() as patch:
        a_tagger_learns_by_how_likely_they_are_right(project, patch)
    exporting.create_snapshot(project, exporting.Options(pack="file", splits={}), cast.lea)
    route_jobs("export")
    written = exporting.path_of(project.snapshots.get()).read_text().splitlines()
    rows = [json.loads(line) for line in written]
    theirs = [row for row in rows if row.get("source") == "teacher"]
    assert len(theirs) == len(said)
    assert all(row["spans"] for row in theirs), "an export has the marks, not their labels alone"
    policies.change_policy(project, cast.lea, enabled=False)
    route_jobs("route")
    assert not Verdict.objects.filter(project=project, source="teacher").exists()


def a_tagger_learns_by_how_likely_they_are_right(project, patch):
    encoding = current_encoding(project)
    run = jobs.Run(Job.objects.create(kind="train", queue="io", project=project, state="running"))
    lesson = marked_lessons.gather(project, reading_words.read(run, encoding))
    by_teacher = set(
        Verdict.objects.filter(project=project, source="teacher").values_list(
            "item__number", flat=True
        )
    )
    assert set(lesson.numbers[lesson.taught].tolist()) == by_teacher
    assert by_teacher
    weights = lesson.data.weights
    assert (weights[~lesson.taught] == 1).all()
    assert ((weights[lesson.taught] >= 0.8) & (weights[lesson.taught] < 1)).all()
    alone = SimpleNamespace(**{**vars(lesson), "taught": lesson.taught | True})
    figures = tagging.evaluate(run, alone, tagging.QUICK.plugin(), None, None)
    assert figures.evaluated_on is None or figures.evaluated_on == 0, "words of it judge nobody"
    of_people = int((~lesson.taught).sum())
    assert 10 <= of_people < len(lesson.numbers)
    patch.setattr(evaluating, "FOLD_ROWS", of_people)
    rng = np.random.default_rng(0)
    figures = tagging.evaluate(run, lesson, tagging.QUICK.plugin(), None, rng)
    assert figures.evaluated_on == of_people, "what people marked is judged before others fill up"


def test_the_router_hears_what_a_tagger_says_that_did_not_see_the_item(taught, cast, monkeypatch):
    project, teacher = taught
    under_policy(project, teacher, cast, router="error_model")
    jobs.enqueue("train", project=project)
    route_jobs("train")
    project.refresh_from_db()
    assert project.current_student.kind == "token-head"
    run = jobs.Run(Job.objects.create(kind="route", queue="io", project=project, state="running"))
    sight = candidates.look(run, policies.policy_of(project), teacher, np.random.default_rng(0))
    seed = sight.seed()
    assert sight.fair[: len(sight.drawn)].all()
    met = seed.items.met
    assert met[seed.right].mean() > met[~seed.right].mean() + 0.1
    assert np.isnan(sight.items.met[sight.unasked_rows()]).all(), "there is no word to meet"
    assert np.isfinite(sight.items.sure).all()
    learned = Verdict.objects.filter(project=project, source="teacher")
    assert learned.exists()
    monkeypatch.setattr(tagger_words, "MOST_FOLDED", len(sight.drawn))
    sight = candidates.look(run, policies.policy_of(project), teacher, np.random.default_rng(0))
    assert sight.fair[: len(sight.drawn)].all(), "the seed comes before words that became verdicts"
    own = np.isin(sight.numbers, list(learned.values_list("item__number", flat=True)))
    assert not sight.fair[own].any()
    assert np.isnan(sight.items.met[own]).all(), "no word of who learned from the item itself"
    TeacherRun.objects.update(state="done")  # what the first routing began
    routing.wish(project)
    route_jobs("route")
    kept = Routing.objects.get(pk=project.pk)
    assert set(kept.facts["wrong"]) == {"rad", "margin"}, "it picks what the teacher is asked next"
    assert kept.run.wanted > 0


def test_checks_tell_of_marks_not_of_labels(taught, cast):
    project, teacher = taught
    under_policy(project, teacher, cast, double_share=1.0)
    accepted = Verdict.objects.filter(project=project, source="teacher").values("item")
    items = list(Item.objects.filter(pk__in=accepted))[:12]
    people_mark(project, cast, items[:6])
    voice = assigning.voice_of(project, cast.ana)
    person, place = project.labels.order_by("column").values_list("pk", flat=True)
    for item in items[6:]:  # the same labels in other places
        spans = [{"start": 0, "end": 1, "label": person}, {"start": 0, "end": 2, "label": place}]
        Annotation.objects.create(
            uuid=uuid.uuid4(), project=project, item=item, annotator=voice,
            value={"spans": spans}, labels=[person, place],
        )  # fmt: skip
        Item.objects.filter(pk=item.pk).update(answers=1, open=False)
    settling.settle_now(project)
    seen = overview.overview(project)
    assert (seen.checked.n, seen.checked.value) == (12, 0.5)
    assert scoring.run_scoreboard(jobs.Run(Job.objects.create(
        kind="scoreboard", queue="io", project=project, state="running"
    )))["scored"] is False  # fmt: skip


def calibrate(project):
    job = jobs.enqueue("calibrate", project=project)
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error


def test_each_answer_says_how_likely_all_its_marks_are_right(taught, cast, client):
    project, teacher = taught
    drawn_sample(project, cast, {Part.CALIBRATION: 25, Part.SEED: 15, Part.EVALUATION: 40})
    work_off(teacher_runs.start_run(project, teacher, None, 80, pool="audited"))
    work_off(teacher_runs.start_run(project, teacher, None, 20))
    settling.settle_now(project)
    calibrate(project)
    kept = Calibration.objects.get(teacher=teacher)
    assert (kept.answers, kept.missing) == (40, 0)
    checked = kept.checked
    assert checked["after"]["right"]["n"] == 40, "on the evaluation part, which fitted nothing"
    assert checked["after"]["error"] < checked["before"]["error"]
    rows = TeacherAnswer.objects.filter(run__teacher=teacher).select_related("item")
    found = {errs(row.item.text): [] for row in rows}
    for row in rows:
        found[errs(row.item.text)].append(row.p_right)
    assert None not in [p for each in found.values() for p in each]
    assert min(found[False]) > 0.7 > 0.5 > max(found[True])
    client.force_login(cast.lea)
    page = client.get(reverse("scorecard", args=[project.pk, teacher.voice_id])).content.decode()
    assert "each answer carries how likely it is right" in page
    again = Calibration.objects.get(teacher=teacher).basis
    calibrate(project)
    assert Calibration.objects.get(teacher=teacher).basis == again


def test_a_test_says_whether_it_may_mark_by_the_f1_of_its_marks(taught, cast, client):
    project, teacher = taught
    drawn_sample(project, cast, {Part.CALIBRATION: 25, Part.SEED: 15})
    run = work_off(qualifying.start(project, teacher, None))
    assert run.state == "done", run.error
    found = Qualification.objects.get(teacher=teacher)
    assert found.qualified
    assert qualifying.state(teacher).may_label
    alone = found.report["alone"]
    gold = Item.objects.filter(project=project, number__in=[int(n) for n in found.gold])
    share = sum(2 / 3 if errs(item.text) else 1 for item in gold) / len(gold)
    assert alone["value"] == pytest.approx(share), "a missing mark costs a part of an item"
    assert found.report["constant"] == 0, "no gold item is without marks"
    assert "F1" in found.report["sentences"][0]
    client.force_login(cast.lea)
    page = client.get(reverse("scorecard", args=[project.pk, teacher.voice_id])).content.decode()
    assert "may label" in page
    replay = work_off(drifting.start(teacher, None))
    assert replay.state == "done", replay.error
    told = found.replays.get()
    assert (told.alarms, told.found["changed"]["count"]) == ([], 0)


def test_who_marks_nothing_and_says_no_more_states_no_confidence(cast, project):
    def first_only(request):
        told = {"before": "", "quote": NAMES[0], "label": plays.label_ids(request)[0]}
        told |= {"verdict": True, "confidence": 0.9}
        entries = [
            {"item": key, "candidates": [told] if NAMES[0] in words else []}
            for key, words in plays.items_of(request).items()
        ]
        return json.dumps({"answers": entries})

    with Loopback(plays.says(first_only)) as server:
        _, teacher = teacher_on(server, cast, project=project, items=0)
        work_off(teacher_runs.start_run(project, teacher, None, 40))
    stated = {
        bool(row.value["spans"]): row.confidence
        for row in TeacherAnswer.objects.filter(run__teacher=teacher, abstained="")
    }
    assert stated == {True: pytest.approx(0.9), False: None}


def test_a_teacher_that_marks_at_random_places_may_not_label(cast, project):
    def elsewhere(request):
        label = plays.label_ids(request)[0]
        told = {"before": "", "quote": "please", "label": label, "verdict": True}
        entries = [{"item": key, "candidates": [told]} for key in plays.items_of(request)]
        return json.dumps({"answers": entries})

    drawn_sample(project, cast, {Part.CALIBRATION: 25, Part.SEED: 15})
    with Loopback(plays.says(elsewhere)) as server:
        _, teacher = teacher_on(server, cast, project=project, items=0)
        work_off(qualifying.start(project, teacher, None))
    assert not Qualification.objects.get(teacher=teacher).qualified
    policies.change_policy(project, cast.lea, teacher=teacher, enabled=True)
    routing.wish(project)
    route_jobs("route")
    assert "better than marking nothing" in policies.policy_of(project).trouble
