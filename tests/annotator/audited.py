"""A project with an answered audit sample and versions that were measured on it."""

import uuid

import numpy as np

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.figures import estimating
from annotator.actions.students import sheets
from annotator.actions.verdicts import settling
from annotator.models import Annotation, Item, Job, Part, Project, StudentVersion
from learning.students.predictions import Predictions
from tests.annotator.web.helpers import teach
from tests.factories import make_items, make_project


def running(project, kind="estimate", **params):
    job = Job.objects.create(kind=kind, queue="io", project=project, state="running", params=params)
    return jobs.Run(job)


def answer_all(project, voice, items, labels=None, stream="audit", values=None):
    """One answer of six seconds to each item, settled: a label, or a value that tells its labels."""
    told = values or [None] * len(items)
    named = [[each] for each in labels] if labels else [project.task.labels_of(v) for v in values]
    Annotation.objects.bulk_create(
        Annotation(
            uuid=uuid.uuid4(),
            project=project,
            item=item,
            annotator=voice,
            stream=stream,
            labels=chosen,
            value=value,
            seconds=6.0,
        )
        for item, chosen, value in zip(items, named, told, strict=True)
    )
    Item.objects.filter(pk__in=[item.pk for item in items]).update(answers=1, open=False)
    settling.settle_now(project)


def answer(project, voice, item, label, stream="audit"):
    answer_all(project, voice, [item], [label], stream)


def predictions(said, labels=3):
    """A student that is nearly sure of one column per item."""
    p = np.full((len(said), labels), 0.02, dtype=np.float32)
    p[np.arange(len(said)), said] = 1 - 0.02 * (labels - 1)
    return Predictions(
        labels=labels,
        multi_label=False,
        probabilities=p,
        margins=np.ones(len(said), np.float32),
        entropies=np.full(len(said), 0.2, np.float32),
    )


def version(project, number, trained_on, *, position=0, **fields):
    labels = list(project.labels.order_by("column").values_list("pk", flat=True))
    return StudentVersion.objects.create(
        project=project,
        number=number,
        kind="head",
        state="ready",
        label_ids=labels,
        trained_on=trained_on,
        position=position,
        folder=f"made{number}",
        **fields,
    )


def audited_project(cast):
    """300 items, the first 100 of the secret order drawn for evaluation and answered."""
    project = make_project(cast, audit_share=0.1)
    make_items(project, 300)
    order = list(Item.objects.filter(project=project).order_by("order_key"))
    truth = np.random.default_rng(0).integers(0, 3, 300)
    labels = list(project.labels.order_by("column").values_list("pk", flat=True))
    ana = assigning.voice_of(project, cast.ana)
    answer_all(project, ana, order[:100], [labels[truth[item.number]] for item in order[:100]])
    Item.objects.filter(pk__in=[item.pk for item in order[:100]]).update(part=Part.EVALUATION)
    Project.objects.filter(pk=project.pk).update(audit_cutoff=order[99].order_key, audit_size=100)
    project.refresh_from_db()
    return project, truth, [item.number for item in order]


def learn(project, truth, *, number, trained_on, wrong, position=0):
    """A version that is wrong about so many of the drawn items, and its sheet."""
    order = Item.objects.filter(project=project).order_by("order_key")
    said = truth.copy()
    for place in order.values_list("number", flat=True)[:wrong]:
        said[place] = (said[place] + 1) % 3
    made = version(project, number, trained_on, position=position)
    sheets.write(running(project, "train"), made, predictions(said), [])
    project.current_student = made
    project.save(update_fields=["current_student"])
    return made


def grown(project, truth):
    """Nine versions that get better, as a project has after some hours."""
    wrong = (60, 50, 44, 38, 32, 28, 25, 22, 20)
    for number, count in enumerate(wrong, start=1):
        learn(project, truth, number=number, trained_on=number * 20, wrong=count)


def project_with_channels(cast):
    """Mail and chat are mixed otherwise; 120 items are drawn and answered, the figures computed."""
    project = make_project(cast)
    items = make_items(project, 400)
    draw = np.random.default_rng(1)
    mail = draw.random(400) < 0.5
    truth = np.where(mail, draw.choice(3, 400, p=[0.7, 0.2, 0.1]), draw.choice(3, 400))
    for item, is_mail in zip(items, mail, strict=True):
        item.meta = {"channel": "mail" if is_mail else "chat", "id": str(item.number)}
    Item.objects.bulk_update(items, ["meta"])
    labels = list(project.labels.order_by("column").values_list("pk", flat=True))
    ana = assigning.voice_of(project, cast.ana)
    order = list(Item.objects.filter(project=project).order_by("order_key")[:120])
    answer_all(project, ana, order, [labels[truth[item.number]] for item in order])
    Item.objects.filter(pk__in=[item.pk for item in order]).update(part=Part.EVALUATION)
    Project.objects.filter(pk=project.pk).update(audit_cutoff=order[-1].order_key)
    project.refresh_from_db()
    said = np.where(draw.random(400) < 0.85, truth, draw.integers(0, 3, 400))
    p = np.asarray(predictions(said).probabilities)
    teach(project, 0.8 * p + 0.2 / 3)
    estimating.run_estimate(running(project))
    return project, truth, mail
