"""What an import is refused for before it begins: a mapping or a use of its answers that cannot be."""

from __future__ import annotations

from annotator.actions.imports import whole_forms
from annotator.errors import InvalidError
from annotator.formats import OF_IMAGES, ON_IMAGES
from annotator.formats.mapping import Mapping
from annotator.models import ItemKind, Project


def check_mapping(project: Project, mapping: Mapping, format: str) -> None:
    """Raise InvalidError for a mapping that can't make items of the project's kind."""
    kind = project.item_kind
    if format == ON_IMAGES:
        if kind != ItemKind.IMAGE or not mapping.id:
            raise InvalidError("This file goes to a project that has its images.", field="file")
    elif kind == ItemKind.IMAGE:
        if format not in OF_IMAGES or not mapping.image:
            raise InvalidError(
                "This project takes images: upload a zip file of them.", field="image"
            )
    elif not mapping.text:
        raise InvalidError("Choose the column that holds the text.", field="text")
    if kind == ItemKind.PAIR and not mapping.text_b:
        raise InvalidError("Choose the column that holds the second text.", field="text_b")
    if kind in (ItemKind.TEXT, ItemKind.LIST) and mapping.text_b:
        raise InvalidError("This project's items have one text.", field="text_b")
    if (kind == ItemKind.LIST) != bool(mapping.candidates):
        told = "Choose the columns that hold the candidates, or the one that holds a list of them."
        other = "This project's items have no candidates."
        raise InvalidError(told if kind == ItemKind.LIST else other, field="candidates")
    whole_forms.check_mapping(project, mapping)
    answers = (mapping.label, *mapping.answers, *mapping.voices)
    parts = (mapping.text, mapping.text_b, *mapping.candidates, *answers)
    used = [one for one in parts if one]
    if len(set(used)) < len(used):
        raise InvalidError("One column can't be text, second text or label at once.", field="text")


def check_labels(project: Project, mode: str) -> None:
    """Raise InvalidError where the file's answers cannot be taken so."""
    if mode != "suggestions":
        return
    if project.task.spelled:
        raise InvalidError(
            "Written answers cannot be suggested. Take them as votes or as the truth, or give the text "
            "to be edited as the second one.",
            field="labels",
        )
    if not project.task.students:
        told = "Nothing is suggested for answers of this type; take them as votes or as the truth."
        raise InvalidError(told, field="labels")
