"""Voices that answer the same items, each as well as it can."""

import uuid
from typing import Any

import numpy as np

from annotator.actions.verdicts import settling, skills
from annotator.models import Annotation, Annotator, Project
from tests.annotator.actions.test_loop import work

SKILLS = (0.97, 0.9, 0.75, 0.4)  # good, sound, fair, poor


def voices_of(project: Project, *names: str) -> list[Annotator]:
    return [project.annotators.create(kind="import", name=name) for name in names]


def file_and_person(project: Project) -> tuple[Annotator, Annotator]:
    """Who answered a file that weighs a half, and a person beside it."""
    file, person = voices_of(project, "file", "person")
    file.weight = 0.5
    file.save()
    return file, person


def say(project: Project, said: list[tuple[int, Annotator, int]], **fields: Any) -> None:
    """Store answers (item number, voice, label id), as an import does."""
    numbers = dict(project.items.values_list("number", "pk"))
    for number, voice, label in said:
        Annotation.objects.create(
            uuid=uuid.uuid4(),
            project=project,
            item_id=numbers[number],
            annotator=voice,
            labels=[label],
            **fields,
        )


def crowd(project: Project, voices: list[Annotator], items: int, first: int = 0) -> list[int]:
    """Each voice answers these items, with its skill; returns the true label ids."""
    rng = np.random.default_rng(0)
    labels = list(project.labels.order_by("column").values_list("pk", flat=True))
    truth = rng.integers(0, len(labels), items)
    said = []
    for voice, skill in zip(voices, SKILLS, strict=False):
        right = rng.random(items) < skill
        other = (truth + rng.integers(1, len(labels), items)) % len(labels)
        chosen = np.where(right, truth, other)
        said += [(first + number, voice, labels[chosen[number]]) for number in range(items)]
    say(project, said)
    return [labels[place] for place in truth]


def learn(project: Project) -> None:
    settling.settle_now(project)
    skills.wish(project)
    work()
