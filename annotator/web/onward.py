"""How the student that serves goes on learning, in words."""

from __future__ import annotations

from collections.abc import Sequence

from annotator.actions.students import background, promoting, serving
from annotator.models import Label, Project

NAMED = 3


def chosen(project: Project) -> str:
    """What it means that a person chose it; "" where nobody did."""
    if promoting.is_held(project):
        return "Somebody went back to it: newer ones wait, those of its own recipe too."
    return "Chosen by hand: students of other recipes wait." if project.student_pinned else ""


def takes_over(project: Project) -> str:
    """What becomes of a student that is trained now."""
    if project.student_pinned:
        return "The student waits while the one that serves was chosen by hand."
    return "The student takes over only if it wins on the sample."


def told(project: Project) -> str:
    """When it learns on, and which labels it lacks; "" for one that learns from every burst of answers."""
    current = project.current_student
    if current is None:
        return ""
    if promoting.is_held(project):
        return _lacking(serving.added(project, current))
    if current.kind in background.QUICK:
        return ""
    recipe = serving.recipe_of(project, current, background.recipes_of(project))
    wanted = background.learns_on_from(recipe, current)
    lacks = serving.added(project, current)
    if project.training_paused:
        when = "It learns nothing more while training is paused."
    elif not project.training_minutes:
        when = "It learns nothing more while no student has minutes to train in the background."
    elif lacks:
        when = f"It learns on once one of them was given, or from {wanted:,} labelled items on."
    elif background.labelled(project) >= wanted:
        when = "It learns on as soon as the machine that trains is free."
    else:
        when = f"It learns on by itself from {wanted:,} labelled items on."
    return f"{_lacking(lacks)} {when}".strip()


def _lacking(labels: Sequence[Label]) -> str:
    if not labels:
        return ""
    names = [f"“{each.name}”" for each in labels[:NAMED]]
    more = len(labels) - NAMED
    if more > 0:
        names.append(f"{more:,} more")
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"It cannot give {listed}, added since it was trained."
