"""A project whose random sample people answered, and a scripted teacher that is right on most of it."""

from contextlib import nullcontext

import numpy as np

from annotator.actions.desk import assigning
from annotator.actions.teachers import lending
from annotator.models import Item, Part, Project
from learning.teachers.types import TeacherAnswer
from tests.annotator.audited import answer_all
from tests.annotator.teaching import teacher_on
from tests.factories import make_project
from tests.llm import plays


def truth_of(project, items, *, wrong_every):
    """What people say: as the good model does, but on every so many-th item."""
    ids = [str(label.pk) for label in project.live_labels()]
    found = []
    for place, item in enumerate(items):
        said = ids.index(plays.right_label(item.text, ids))
        off = 1 if place % wrong_every == wrong_every - 1 else 0
        found.append(int(ids[(said + off) % len(ids)]))
    return found


def audited_teacher(server, cast, *, audited=100, items=130, wrong_every=5, parts=None, **settings):
    """(project, teacher): the first items of the secret order are drawn and answered by Ana."""
    project, teacher = teacher_on(
        server, cast, items=items, project=make_project(cast, audit_share=0), **settings
    )
    audit(project, cast, audited, wrong_every=wrong_every, parts=parts)
    return project, teacher


def audit(project, cast, count, *, wrong_every=5, parts=None):
    """Draw so many items and let Ana answer them."""
    parts = parts or (Part.EVALUATION, Part.CALIBRATION)
    order = list(Item.objects.filter(project=project).order_by("order_key")[:count])
    ana = assigning.voice_of(project, cast.ana)
    answer_all(project, ana, order, truth_of(project, order, wrong_every=wrong_every))
    for place, part in enumerate(parts):
        chosen = [item.pk for item in order[place :: len(parts)]]
        Item.objects.filter(pk__in=chosen).update(part=part)
    Project.objects.filter(pk=project.pk).update(audit_cutoff=order[-1].order_key)
    project.refresh_from_db()


class Scripted:
    """A teacher in this process, in place of calls: `says(text, ids)` names a label's id."""

    def __init__(self, monkeypatch, says=plays.right_label):
        self.says, self.model, self.confidence, self.asked = says, plays.MODEL, 0.9, []
        monkeypatch.setattr(lending, "ready", lambda *_, **__: nullcontext(self))

    def annotate(self, items, schema, examples, report):
        ids = sorted(str(pk) for pk in schema.ids)
        for done, item in enumerate(items, start=1):
            self.asked.append(item)
            p = np.full(schema.size, (1 - self.confidence) / (schema.size - 1), dtype=np.float32)
            p[schema.ids.index(int(self.says(item.text, ids)))] = self.confidence
            yield TeacherAnswer(
                number=item.number,
                probabilities=p,
                confidence=self.confidence,
                model=self.model,
                tokens_in=1,
            )
            report(done, len(items))
