"""A project with a policy: a teacher that said things, and people who answered some of the same."""

import uuid

import numpy as np
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.routing import policies, routing
from annotator.actions.teachers import teachers
from annotator.actions.verdicts import settling
from annotator.models import (
    Annotation,
    Double,
    Item,
    Job,
    JobState,
    TeacherAnswer,
    TeacherRun,
    Verdict,
)
from tests.annotator.audited import answer_all
from tests.annotator.web.helpers import encode, teach
from tests.factories import make_items, make_project

SURE, UNSURE = 0.97, 0.55


def work(*kinds):
    """Do the waiting jobs of these kinds, but for what is to be tried again later.

    Without a heartbeat, whose connection of its own would not see this test's rows.
    """
    while True:
        waiting = Job.objects.filter(state=JobState.QUEUED, kind__in=kinds)
        job = waiting.exclude(key__startswith="route-again").order_by("id").first()
        if job is None:
            return
        Job.objects.filter(pk=job.pk).update(due_at=timezone.now())
        claimed = jobs.claim(job.pk)
        result = jobs._action(claimed.kind)(jobs.Run(claimed))
        jobs.finish(claimed, JobState.DONE, result=result or {})


def same_draws(monkeypatch):
    """Let what chance decides be decided alike in every run, whatever keys rows have."""
    monkeypatch.setattr(routing.secrets, "randbits", lambda bits: 7)
    monkeypatch.setattr(routing, "evidence", lambda project, plan: [7, plan.position])


def speak(teacher, said):
    """Write what a teacher said in a run that is over: item -> (label id, confidence)."""
    project = teacher.project
    run = TeacherRun.objects.create(project=project, teacher=teacher, state="done")
    words = Annotation.objects.bulk_create(
        Annotation(
            uuid=uuid.uuid4(),
            project=project,
            item=item,
            annotator=teacher.voice,
            labels=[label],
            blind=True,
        )
        for item, (label, _) in said.items()
    )
    TeacherAnswer.objects.bulk_create(
        TeacherAnswer(
            project=project,
            run=run,
            item=item,
            annotation=word,
            labels=[label],
            probabilities={str(label): sure},
            confidence=sure,
            model="made",
        )
        for word, (item, (label, sure)) in zip(words, said.items(), strict=True)
    )
    settling.settle_now(project)
    return run


class Routed:
    """240 items of three labels, of which the teacher is sure and right on two thirds, and unsure
    and mostly wrong on the rest. `draw_seed` is done; nobody has answered anything yet."""

    def __init__(self, cast, **settings):
        self.project = make_project(cast, **{"audit_share": 0, **settings.pop("project", {})})
        self.items = make_items(self.project, 240)
        self.labels = list(self.project.live_labels().values_list("pk", flat=True))
        draw = np.random.default_rng(5)
        self.truth = draw.integers(0, 3, 240)
        self.sure = draw.random(240) < 2 / 3
        wrong = ~self.sure & (draw.random(240) < 0.7)
        self.said = np.where(wrong, (self.truth + 1) % 3, self.truth)
        encode(self.project, np.eye(4)[self.truth] + 0.3 * draw.normal(size=(240, 4)))
        teach(self.project, np.full((240, 3), 1 / 3))
        self.teacher = teachers.create_teacher(
            self.project, cast.lea, name="Names", plugin="zero-shot"
        )
        self.ana = assigning.voice_of(self.project, cast.ana)
        self.cast = cast
        chosen = {"router": "threshold", "seed_size": 60, "unqualified": True, **settings}
        policies.change_policy(self.project, cast.lea, teacher=self.teacher, **chosen)
        routing.draw(self.project, self.policy)

    @property
    def policy(self):
        return policies.policy_of(self.project)

    def drawn(self):
        return list(Item.objects.filter(pk__in=Double.objects.values("item")).order_by("number"))

    def answer(self, items):
        """Ana answers these, rightly."""
        labels = [self.labels[self.truth[item.number]] for item in items]
        answer_all(self.project, self.ana, items, labels, "active")

    def ask(self, items):
        """The teacher answers these, as it is."""
        speak(
            self.teacher,
            {
                item: (
                    self.labels[self.said[item.number]],
                    SURE if self.sure[item.number] else UNSURE,
                )
                for item in items
            },
        )

    def label_seed(self):
        self.answer(self.drawn())
        self.ask(self.drawn())

    def route(self):
        """One routing, its teacher's runs left waiting."""
        routing.wish(self.project)
        work("route")
        self.project.refresh_from_db()
        return Job.objects.filter(kind="route").order_by("-pk").first()

    def verdicts(self):
        rows = Verdict.objects.filter(project=self.project, source="teacher")
        return set(rows.values_list("item__number", flat=True))


def routed(cast, **settings):
    """The project with its seed labelled and 100 more answers of the teacher's, policy on."""
    made = Routed(cast, **settings)
    made.label_seed()
    drawn = {item.pk for item in made.drawn()}
    made.others = [item for item in made.items if item.pk not in drawn][:100]
    made.ask(made.others)
    policies.change_policy(made.project, cast.lea, enabled=True)
    made.route()
    return made
