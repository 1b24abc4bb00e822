"""A project of spans whose random sample people marked."""

import uuid

from annotator.actions.desk import assigning
from annotator.actions.verdicts import settling
from annotator.models import Annotation, Item, Part, Project


def people_mark(project, cast, value, count=36):
    """Ana marks so many items of the random sample; all of them are drawn."""
    person = project.labels.get(name="Person").pk
    spans = [{**span, "label": person} for span in value]
    items = list(Item.objects.filter(project=project).order_by("order_key")[:count])
    Annotation.objects.bulk_create(
        Annotation(
            uuid=uuid.uuid4(), project=project, item=item, stream="audit", labels=[person],
            annotator=assigning.voice_of(project, cast.ana), value={"spans": spans},
        )
        for item in items
    )  # fmt: skip
    drawn = Item.objects.filter(pk__in=[item.pk for item in items])
    drawn.update(answers=1, open=False, part=Part.EVALUATION)
    Project.objects.filter(pk=project.pk).update(audit_cutoff=items[-1].order_key)
    project.refresh_from_db()
    settling.settle_now(project)
