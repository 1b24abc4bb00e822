"""A project that asks about single labels, and what people say when they are asked."""

import uuid

import numpy as np

from annotator.actions.desk import assigning, labeling
from annotator.actions.queue import choosing
from annotator.models import Assignment, Pick, Verdict
from learning.scores import margins
from learning.students.predictions import Predictions
from tests.factories import make_items, make_project


def questioning(cast):
    """Several labels, six items, questions about one label allowed."""
    made = make_project(cast, task_type="multi", audit_share=0, label_questions=True)
    made.items_made = make_items(made, 6)
    return made


def ids(project):
    return dict(project.labels.order_by("column").values_list("name", "pk"))


def knowledge(project, p, encodings):
    """What is known of the six items when a student says `p` of them."""
    return choosing.Knowledge(
        encodings=encodings,
        predictions=Predictions(
            labels=3,
            multi_label=True,
            probabilities=p,
            margins=margins(p, multi_label=True),
            entropies=np.zeros(6, dtype=np.float32),
        ),
        label_ids=tuple(ids(project).values()),
    )


def ask(project, item, name, rank=0, slot=0):
    """A question waits in the queue."""
    return Pick.objects.create(
        project=project,
        item=item,
        slot=slot,
        rank=rank,
        reason=f"is {name} present? 48 %; all 2 other labels look sure",
        question_id=ids(project)[name],
        suggestion=[[ids(project)[name], 0.48]],
    )


def say(project, user, lease, labels=(), *, question=None, **fields):
    names = ids(project)
    return labeling.submit(
        project,
        assigning.voice_of(project, user),
        uuid=fields.pop("uuid", None) or uuid.uuid4(),
        assignment_id=lease.pk,
        labels=[names[name] for name in labels],
        question=names.get(question),
        **fields,
    )


def serve(project, user):
    return assigning.lease(project, assigning.voice_of(project, user), 1)[0]


def verdict(item):
    return Verdict.objects.filter(item=item).first()


def whole(project, user, item, labels, *, stream="active", slot=0):
    """A whole answer, as if it had been asked for."""
    voice = assigning.voice_of(project, user)
    lease = Assignment.objects.create(
        project=project,
        item=item,
        annotator=voice,
        slot=slot,
        stream=stream,
        lease_until="2100-01-01T00:00Z",
    )
    return say(project, user, lease, labels)


def answered(project, user, item, name, *, there):
    """An answer to a question, as if it had been asked."""
    voice = assigning.voice_of(project, user)
    taken = Assignment.objects.filter(item=item).count()
    lease = Assignment.objects.create(
        project=project,
        item=item,
        annotator=voice,
        slot=taken,
        question_id=ids(project)[name],
        lease_until="2100-01-01T00:00Z",
    )
    return say(project, user, lease, [name] if there else [], question=name)
