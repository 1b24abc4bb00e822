"""A language model labels beside people: over real HTTP, within its budget, overruled, exported."""

import json
import uuid

import pytest
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.encoders import encoding
from annotator.actions.exports import exporting
from annotator.actions.instance import doctor
from annotator.actions.routing import policies
from annotator.actions.teachers import budgets
from annotator.models import Annotation, Job, JobState, Purse, Routing, TeacherRun, Verdict
from tests.annotator.teaching import teacher_on
from tests.factories import make_items, make_project
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)
CALL = 0.14  # what the scripted endpoint charges for one item


def work():
    """Do every job that waits, but for what is to be tried again later."""
    while True:
        waiting = Job.objects.filter(state=JobState.QUEUED).exclude(key__startswith="route-again")
        job = waiting.order_by("id").first()
        if job is None:
            return
        Job.objects.filter(pk=job.pk).update(due_at=timezone.now())
        jobs.execute(job.pk)


def unsure_of_odd_texts(answers, request):
    """Sure and right, but for odd texts: there it says another label and that it is not sure."""
    texts, ids = plays.items_of(request), plays.label_ids(request)
    return [
        answer
        if "odd" not in texts[answer["item"]]
        else {
            "item": answer["item"],
            "label": ids[(ids.index(answer["label"]) + 1) % len(ids)],
            "confidence": 0.4,
        }
        for answer in answers
    ]


class Team:
    """A project on a scripted endpoint, and Ana, who knows what is right."""

    def __init__(self, cast, server, texts, **policy):
        self.cast = cast
        project = make_project(cast, audit_share=0, encoder="tfidf-svd", retrain_answers=30)
        self.project, self.teacher = teacher_on(server, cast, project=project, texts=texts)
        self.ids = [str(pk) for pk in self.project.live_labels().values_list("pk", flat=True)]
        encoding.wish_encoding(self.project)
        chosen = {"router": "threshold", "seed_size": 30, "unqualified": True, **policy}
        policies.change_policy(self.project, cast.lea, teacher=self.teacher, **chosen)
        policies.prepare(self.project, cast.lea)
        work()

    def answer(self, most):
        """Ana answers what she is given, rightly. Returns the leases."""
        ana = assigning.voice_of(self.project, self.cast.ana)
        met = []
        for _ in range(most):
            leases = assigning.lease(self.project, ana, 1)
            if not leases:
                break
            met += leases
            right = plays.right_label(leases[0].item.text, self.ids)
            labeling.submit(
                self.project,
                ana,
                uuid=uuid.uuid4(),
                assignment_id=leases[0].pk,
                labels=[int(right)],
                seconds=6.0,
            )
        jobs.enqueue("settle", project=self.project, key=f"settle:{self.project.pk}")
        work()
        return met

    def decided(self):
        return Verdict.objects.filter(project=self.project, source="teacher")


def broken(project):
    return [finding for finding in doctor.examine(project) if not finding.ok]


def test_a_model_labels_within_its_budget_and_a_person_overrules_it(cast):
    texts = [f"ticket {n} {'odd matter' if n % 3 == 0 else 'parcel'}" for n in range(90)]
    with Loopback(plays.changed(unsure_of_odd_texts)) as server:
        team = Team(cast, server, texts)
        met = team.answer(30)
        assert {lease.suggestion == [] for lease in met} == {True}
        assert all("Drawn at random" in lease.reason for lease in met)
        assert Routing.objects.get().curve["points"]
        budgets.change_caps(team.project, cap_project=CALL * 50)
        policies.choose_point(team.project, cast.lea, 0.35)
        work()
        purse = Purse.objects.get()
        assert purse.spent <= purse.cap_project
        assert purse.held == 0
        assert policies.policy_of(team.project).trouble.startswith("The budget of the project")
        budgets.change_caps(team.project, cap_project=100)
        work()
    assert policies.policy_of(team.project).trouble == ""
    assert not TeacherRun.objects.live().exists()
    sure = {i for i, text in enumerate(texts) if "odd" not in text}
    decided = set(team.decided().values_list("item__number", flat=True))
    assert decided
    assert decided <= sure
    assert broken(team.project) == []
    rest = team.answer(90)
    overruled = [lease for lease in rest if lease.item.number in decided]
    assert overruled, "a decided item is served when nothing else is left"
    assert all(not lease.fallback for lease in rest if lease.item.number not in decided)
    exported(team, overruled)


def exported(team, overruled):
    """Both words are in the export: the annotations of either, the verdict of the person."""
    contents = ("verdicts", "annotations")
    exporting.create_snapshot(team.project, exporting.Options(contents=contents), team.cast.lea)
    work()
    import zipfile

    with zipfile.ZipFile(exporting.path_of(team.project.snapshots.get())) as packed:
        rows = [json.loads(line) for line in packed.read("items.jsonl").splitlines()]
        words = [json.loads(line) for line in packed.read("annotations.jsonl").splitlines()]
    number = overruled[0].item.number
    assert rows[number]["source"] == "consensus"
    assert {w["annotator_kind"] for w in words if w["item"] == number} == {"person", "teacher"}


def test_texts_that_give_orders_change_nothing_but_their_own_items(cast):
    """200 of them come in when the policy is at work, to a model that obeys them."""
    hostile = [text.replace("\0", "") for text in plays.hostile_texts(200)]
    with Loopback(plays.obedient) as server:
        team = Team(cast, server, [f"an ordinary ticket number {n}" for n in range(60)])
        team.answer(30)
        policies.change_policy(team.project, cast.lea, enabled=True, human_share=0.1)
        make_items(team.project, hostile)
        encoding.wish_encoding(team.project)
        work()
        caps = Purse.objects.values_list("cap_day", "cap_project").get()
    said = Annotation.objects.filter(annotator=team.teacher.voice).select_related("item")
    ours = set(map(int, team.ids))
    assert {label for word in said for label in word.labels} <= ours
    ordinary = [word for word in said if word.item.number < 60]
    assert len(ordinary) == 60
    for word in ordinary:
        assert word.labels == [int(plays.right_label(word.item.text, team.ids))]
    purse = Purse.objects.get()
    assert (purse.cap_day, purse.cap_project) == caps
    assert purse.spent <= purse.cap_project
    assert team.decided().exists()
    assert {label for verdict in team.decided() for label in verdict.labels} <= ours
    by_people = Verdict.objects.filter(source="consensus")
    for verdict in by_people.select_related("item"):
        assert verdict.labels == [int(plays.right_label(verdict.item.text, team.ids))]
    assert broken(team.project) == []
