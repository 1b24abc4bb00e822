"""Two projects whose labels mean partly the same, one of which starts from the other."""

import numpy as np

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.students import training, warm_starts
from annotator.models import (
    Item,
    Label,
    Part,
    Project,
    StudentVersion,
)
from learning import storage
from tests.annotator.audited import answer_all, running
from tests.annotator.web.helpers import encode
from tests.factories import make_items, make_project

KINDS, DIMENSIONS = ("Billing", "Delivery", "Login", "Praise"), 16


def filled(cast, name, labels, texts, *, answered, seed, **fields):
    """A project of encoded items, the first of which are answered; kinds that it has no label for are another's.

    (project, the kind of each item)"""
    project = make_project(cast, name=name, labels=labels, audit_share=0.1, **fields)
    items = make_items(project, texts)
    rng = np.random.default_rng(seed)
    kinds = np.array([KINDS.index(labels[n % len(labels)]) for n in range(len(items))])
    middles = np.random.default_rng(1).normal(size=(4, DIMENSIONS))
    middles *= 3 / np.linalg.norm(middles, axis=1, keepdims=True)
    encode(project, middles[kinds] + 1.3 * rng.normal(size=(len(items), DIMENSIONS)), "alike")
    Item.objects.filter(project=project).update(order_key=0.9)
    known = {label.name: label.pk for label in project.labels.all()}
    said = [known[KINDS[kind]] for kind in kinds[:answered]]
    answer_all(project, assigning.voice_of(project, cast.ana), items[:answered], said, "active")
    return project, kinds


def theirs(cast, **fields):
    texts = [f"theirs {n}" for n in range(90)]
    labels = ("Billing", "delivery", "Praise")
    made, _ = filled(
        cast, "Old", ("Billing", "Delivery", "Praise"), texts, answered=80, seed=2, **fields
    )
    Label.objects.filter(project=made, name="Delivery").update(name=labels[1])
    train(made)
    return made


def ours(cast, *, answered=6, **fields):
    texts, labels = [f"ours {n}" for n in range(150)], ("Billing", "Delivery", "Login")
    return filled(cast, "New", labels, texts, answered=answered, seed=5, **fields)


def train(project):
    found = training.run_train(running(project, "train"))
    return StudentVersion.objects.get(project=project, number=found["student"])


def start(project, source, by, matches=None):
    job = warm_starts.begin(project, by, source.pk, matches)
    jobs.execute(job.pk)
    job.refresh_from_db()
    return job


def weights(folder):
    return storage.load_folder(folder)[0]["weights"]


def sample(project, cast, kinds, numbers):
    """These items are the answered evaluation sample."""
    known = {label.name: label.pk for label in project.labels.all()}
    items = list(Item.objects.filter(project=project, number__in=numbers).order_by("number"))
    Item.objects.filter(pk__in=[one.pk for one in items]).update(
        part=Part.EVALUATION, order_key=0.01
    )
    said = [known[KINDS[kinds[one.number]]] for one in items]
    answer_all(project, assigning.voice_of(project, cast.ana), items, said)
    Project.objects.filter(pk=project.pk).update(audit_cutoff=0.5, audit_size=len(items))
    project.refresh_from_db()
