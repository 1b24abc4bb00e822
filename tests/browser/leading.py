"""A project in mid-life, as a lead finds it: answers, a student, ties, flags, jobs, snapshots."""

import json
import random
from pathlib import Path
from uuid import uuid4

import numpy as np

import annotator
from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.projects import projects
from annotator.actions.verdicts import settling
from annotator.models import (
    Annotation,
    Annotator,
    Item,
    Job,
    Part,
    Snapshot,
    StudentVersion,
)
from tests.annotator.web.helpers import index, teach
from tests.factories import make_items, make_project

TICKETS = Path(annotator.__file__).parent / "demo"
LABELS = ("Billing", "Delivery", "Login", "Refund", "Praise", "Technical", "Cancel", "Other")


def texts(count):
    lines = (TICKETS / "tickets.jsonl").read_text().splitlines()
    return [json.loads(line)["text"] for line in lines[:count]]


def lively_project(cast, *, items=120, **fields):
    """Lea's project after some hours."""
    draw = random.Random(5)
    project = make_project(cast, labels=LABELS, name="Support tickets", audit_share=0.1, **fields)
    made = make_items(project, texts(items))
    labels = list(project.labels.order_by("column"))
    projects.change_project(project, audit_size=40, overlap=2)
    teach(project, np.random.default_rng(4).dirichlet(np.full(len(labels), 0.4), items))
    answer(project, cast, made, labels, draw)
    import_voice(project, made, labels)
    versions(project)
    index(project)
    settling.settle_now(project)
    ana = assigning.voice_of(project, cast.ana)
    labeling.flag(project, ana, item=made[100], reason="Is this billing or refund?")
    running(project, cast)
    return project


def answer(project, cast, items, labels, draw):
    """Ana and Ben answer; they disagree on every ninth item."""
    ana, ben = (assigning.voice_of(project, each) for each in (cast.ana, cast.ben))
    rows = []
    for number, item in enumerate(items[:70]):
        first = draw.choice(labels[:6])
        second = draw.choice(labels) if number % 9 == 0 else first
        for voice, label in ((ana, first), (ben, second)):
            rows.append(
                Annotation(
                    uuid=uuid4(),
                    project=project,
                    item=item,
                    annotator=voice,
                    labels=[label.pk],
                    stream="audit" if item.order_key <= project.audit_cutoff else "active",
                    seconds=draw.uniform(2, 14),
                )
            )
        part = draw.choice([Part.EVALUATION, Part.EVALUATION, Part.CALIBRATION, Part.SEED])
        if item.order_key <= project.audit_cutoff:
            Item.objects.filter(pk=item.pk).update(part=part)
    Annotation.objects.bulk_create(rows)
    Item.objects.filter(pk__in=[item.pk for item in items[:70]]).update(answers=2, open=False)


def import_voice(project, items, labels):
    """The labels that came with the file."""
    voice = Annotator.objects.create(project=project, kind="import", name="old-labels", weight=0.5)
    Annotation.objects.bulk_create(
        Annotation(
            uuid=uuid4(),
            project=project,
            item=item,
            annotator=voice,
            labels=[labels[number % 7].pk],
            stream="import",
        )
        for number, item in enumerate(items[60:90])
    )


def versions(project):
    """A learning curve: out of fold first, then on the random sample."""
    current = project.current_student
    for number in range(2, 24):
        share = 0.9 - 0.45 / (number / 3 + 0.4)
        spread = 0.16 / (number**0.5)
        StudentVersion.objects.create(
            project=project,
            number=number,
            kind="head",
            state="ready",
            encoding=current.encoding,
            label_ids=current.label_ids,
            trained_on=number * 12,
            answers=number * 11,
            folder="made" if number == 23 else "",
            seconds=0.4 + number / 50,
            accuracy=share,
            accuracy_low=share - spread,
            accuracy_high=min(share + spread, 1),
            evaluated_on=number * 5 + 10,
            estimate="out-of-fold" if number < 9 else "audit",
            metrics={"accuracy": share, "macro_f1": share - 0.03, "log_loss": 1 - share},
        )
    project.current_student = StudentVersion.objects.get(project=project, number=23)
    project.save(update_fields=["current_student"])


def running(project, cast):
    """Work under way, done and failed."""
    from django.utils import timezone

    encode = jobs.enqueue("encode", project=project)
    Job.objects.filter(pk=encode.pk).update(
        state="running",
        done=70_000,
        total=100_000,
        message="Encoding",
        started_at=timezone.now() - timezone.timedelta(seconds=40),
        heartbeat_at=timezone.now(),
        expected_at=timezone.now() + timezone.timedelta(seconds=17),
        lease_until=timezone.now() + timezone.timedelta(minutes=10),
    )
    failed = jobs.enqueue("export", project=project, started_by=cast.lea)
    Job.objects.filter(pk=failed.pk).update(
        state="failed",
        error="The disk is full. Free 2 GB and try again.",
        finished_at=timezone.now(),
    )
    for state, digest in (("ready", "9f" * 32), ("failed", "")):
        Snapshot.objects.create(
            project=project,
            state=state,
            sha256=digest,
            size_bytes=1_234_567,
            item_count=120,
            options={"format": "jsonl", "contents": ["verdicts"]},
            manifest={
                "files": [{"name": "items.jsonl", "rows": 120, "bytes": 9000, "sha256": "ab" * 32}],
                "counts": {"by_label": {"Billing": 30, "Delivery": 20}},
            },
            stored_name="none.zip",
            created_by=cast.lea,
        )
