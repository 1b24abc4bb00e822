"""A project that is set up like another one: its settings, guidelines, labels and questions, and
nothing that anybody answered.
"""

from __future__ import annotations

from django.db import transaction

from annotator.actions.projects import form_questions, projects
from annotator.models import FormQuestion, ItemKind, Label, Project, User

# The encoder is of the kind of items.
OF_ITEMS = {"encoder", "encoder_params"}
# What asks gold items needs some, and a new project has none.
OF_GOLD = {"gold_share", "entry_items"}
LEFT_OUT = {"name", "training_paused"} | OF_GOLD


def create_like(source: Project, owner: User, name: str, *, item_kind: str = "") -> Project:
    """Make a project like `source`, with items of the same kind unless another is named.

    Archived labels stay behind, and what gold items are asked for. Raises InvalidError where its answers do not fit such items.
    """
    kind = item_kind or source.item_kind
    kept = projects.SETTINGS - LEFT_OUT
    if kind != source.item_kind:
        kept -= OF_ITEMS
    with transaction.atomic():
        made = projects.create_project(
            owner,
            name,
            task_type=source.task_type,
            item_kind=kind,
            **{setting: getattr(source, setting) for setting in kept},
        )
        Label.objects.filter(project=made).delete()  # those of its type are among the source's
        _copy_labels(source, made)
        form_questions.check_items(made)
    return made


def kind_like(source: Project, found: str) -> str:
    """The kind of items that a file brings to a project like `source`: only for images its content
    tells, since columns are not chosen yet.
    """
    images = ItemKind.IMAGE
    return found if images in (found, source.item_kind) else source.item_kind


def _copy_labels(source: Project, made: Project) -> None:
    asked = list(FormQuestion.objects.filter(project=source))
    questions = {
        one.pk: FormQuestion(
            project=made,
            position=place,
            **{name: getattr(one, name) for name in ("key", "name", "kind", "optional", "edits")},
        )
        for place, one in enumerate(asked)
    }
    FormQuestion.objects.bulk_create(questions.values())
    labels = {
        one.pk: Label(
            project=made,
            column=place,
            position=place,
            form_question=questions.get(one.form_question_id or 0),
            **{name: getattr(one, name) for name in ("key", "name", "description", "words")},
            **{name: getattr(one, name) for name in ("hotkey", "colour")},
        )
        for place, one in enumerate(source.live_labels())
    }
    Label.objects.bulk_create(labels.values())
    for label in source.live_labels():
        labels[label.pk].parent = labels.get(label.parent_id or 0)
    Label.objects.bulk_update(labels.values(), ["parent"], batch_size=1_000)
    for one in asked:
        questions[one.pk].only_if = [labels[pk].pk for pk in one.only_if if pk in labels]
    FormQuestion.objects.bulk_update(questions.values(), ["only_if"])
