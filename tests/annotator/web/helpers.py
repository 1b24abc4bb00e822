"""Vectors, a student's word and answers, written as jobs and people would have left them."""

from uuid import uuid4

import numpy as np

from annotator import jobs
from annotator.actions.encoders import encoding
from annotator.actions.explore import mapping
from annotator.actions.imports import indexing
from annotator.actions.students import training
from annotator.actions.verdicts import settling
from annotator.models import Annotation, Encoding, Job, StudentVersion
from learning.students.predictions import write_predictions


class Word:
    """A fitted student that says what it was told to."""

    def __init__(self, probabilities, *, multi_label):
        self.multi_label, self.labels = multi_label, len(probabilities[0])
        self.probabilities = np.asarray(probabilities, dtype=np.float32)
        self.next = 0

    def predict(self, items):
        block = self.probabilities[self.next : self.next + len(items)]
        self.next += len(items)
        return block


def teach(project, probabilities):
    """Make a current student whose probabilities over the pool are given."""
    labels = list(project.labels.order_by("column").values_list("pk", flat=True))
    version = StudentVersion.objects.create(
        project=project,
        number=StudentVersion.objects.filter(project=project).count() + 1,
        kind="head",
        state="ready",
        encoding=Encoding.objects.filter(project=project).first() or encode(project),
        label_ids=labels,
        folder="made",
        trained_on=3,
    )
    word = Word(probabilities, multi_label=project.multi_label)
    folder = training.students_folder(project.pk) / "made"
    write_predictions(folder / "pool", word, np.zeros((len(probabilities), 4)))
    project.current_student = version
    project.save(update_fields=["current_student"])
    return version


def index(project):
    """Fill the text index as its job does."""
    job = Job.objects.create(kind="index", queue="io", project=project, state="running")
    indexing.run_index(jobs.Run(job))


def draw(project, *, again=False):
    """Draw the map, or place what is new on it, as its job does."""
    job = Job.objects.create(
        kind="map", queue="encode", project=project, state="running", params={"again": again}
    )
    mapping.run_map(jobs.Run(job))
    Job.objects.filter(pk=job.pk).update(state="done")


def encode(project, vectors=None, fingerprint=""):
    """Write a matrix for the pool: random unit rows, or the given ones."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(project.item_count, 4)) if vectors is None else np.asarray(vectors)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    made = Encoding.objects.create(
        project=project,
        encoder=project.encoder,
        params=project.encoder_params,
        fingerprint=fingerprint or f"test{project.pk}",
        dimensions=rows.shape[1],
        rows=len(rows),
    )
    encoding.open_matrix(made).write(0, rows.astype(np.float32))
    return made


def say(project, voice, item, name, *, stream="active"):
    """Write a standing answer as a voice would have given it, and settle it."""
    said = Annotation.objects.create(
        uuid=uuid4(),
        project=project,
        item=item,
        annotator=voice,
        stream=stream,
        labels=[project.labels.get(name=name).pk],
    )
    settling.settle_now(project)
    return said
