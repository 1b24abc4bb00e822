"""Labels to choose from: all of them while a page can list them, beyond that a few and a search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_GET

from annotator.actions.projects import finding, schema
from annotator.models import Annotation, Assignment, Can, Label, Project, User
from annotator.web.pages import project_for

SLOTS = 10
SIDES = ("First", "Second")
# Answers in which a person's recent labels are looked for.
_LATEST = 50


@require_GET
@login_required
def find(request: HttpRequest, project_id: int) -> JsonResponse:
    """The labels that fit what is typed (`q`) best, as JSON: what is drawn of them differs by page.

    With `archived` those that fit and are used no more come after them.
    """
    project = project_for(request, project_id, Can.OPEN)
    typed, most = request.GET.get("q", ""), finding.FOUND_AT_MOST + 1
    found = finding.find_labels(project, typed, most)
    if request.GET.get("archived"):
        found += finding.find_archived(project, typed, most - len(found))
    views = [_wide_view(project, each) for each in found[: finding.FOUND_AT_MOST]]
    answer = JsonResponse({"labels": views, "more": len(found) > finding.FOUND_AT_MOST})
    answer["Cache-Control"] = "no-store"
    return answer


def label_views(project: Project) -> list[dict[str, Any]]:
    """All labels as pages need them, each with the digit or letter that is its own."""
    labels = list(project.live_labels().select_related("parent", "form_question"))
    if project.task.nested:
        labels.sort(key=lambda each: each.name.casefold().split(Label.BELOW))
    if project.has_questions:
        labels.sort(key=lambda each: each.form_question.position if each.form_question else -1)
    few = len(labels) <= SLOTS
    side = {
        pk: word
        for sides in schema.sides_of(project)
        for pk, word in zip(sides, SIDES, strict=True)
    }
    return [
        _view(project, each)
        | {
            "key": _own_key(each, place, few=few),
            "digit": _own_key(each, place, few=few) if few else str((place + 1) % 10),
            "side": side.get(each.pk, ""),
            "begun": each.begun_as,
        }
        for place, each in enumerate(labels)
    ]


def few_views(project: Project, ids: Iterable[int]) -> list[dict[str, Any]]:
    """These labels of many, in this order and once each; those that are not live are left out."""
    wanted = list(dict.fromkeys(ids))
    live = project.live_labels().select_related("parent").in_bulk(wanted)
    return [_wide_view(project, live[pk]) for pk in wanted if pk in live]


def first_ids(project: Project, count: int) -> list[int]:
    return list(project.live_labels().values_list("pk", flat=True)[:count])


def keyed_ids(project: Project) -> list[int]:
    """The labels with a key of their own, which answers wherever they are listed."""
    keyed = project.live_labels().exclude(hotkey="").values_list("pk", flat=True)
    return list(keyed[: finding.LISTED_AT_MOST])


def page_views(project: Project, user: User) -> list[dict[str, Any]]:
    """What the label page knows of very many labels: the person's recent ones, the first, those with keys."""
    return few_views(
        project,
        [*recent_ids(project, user), *first_ids(project, SLOTS), *keyed_ids(project)],
    )


def in_parts(views: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Views for a page that tells the branch apart from the name."""
    return [view | {"name": view["part"]} for view in views]


def named_ids(assignment: Assignment) -> list[int]:
    """The labels that a lease names: asked about, suggested or in its set, the likeliest first."""
    found = [assignment.question_id] if assignment.question_id else []
    told = assignment.suggestion or []
    if isinstance(told, dict):
        # Marks of some kind, each with its label, labels beside them, or an order that names none.
        marks = [*told.get("spans", ()), *told.get("boxes", ())]
        found += [pk for pk, _ in told.get("labels", ())] + [mark["label"] for mark in marks]
    else:
        found += [pk for pk, _ in told]
    held = assignment.label_set or {}
    return [*found, *held.get("sure", ()), *held.get("maybe", ())]


def recent_ids(project: Project, user: User) -> list[int]:
    """The labels that this person gave last, the latest first."""
    said = Annotation.objects.filter(project=project).by_user(user).order_by("-pk")
    latest = said.values_list("labels", flat=True)[:_LATEST]
    return list(dict.fromkeys(pk for labels in latest for pk in labels))[:SLOTS]


def with_digits(views: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Views whose keys are the digits of their places; past ten they have none."""
    return [
        view | {"key": str((place + 1) % 10) if place < SLOTS else ""}
        for place, view in enumerate(views)
    ]


def _view(project: Project, label: Label) -> dict[str, Any]:
    nested = label.form_question_id is not None or project.task.nested
    return {
        "id": label.pk,
        "name": _whole_name(label, nested=nested),
        "part": label.part if nested else _whole_name(label, nested=nested),
        "path": label.branch.replace(Label.BELOW, " › ") if nested else "",
        "description": label.description,
        "hue": label.colour % 12,
    }


def _wide_view(project: Project, label: Label) -> dict[str, Any]:
    """One label of many: its number is its place in the schema, which others do not change."""
    told = {"description": "archived"} if label.archived_at is not None else {}
    return (
        _view(project, label)
        | told
        | {
            "key": _own_key(label, label.position, few=False),
            "digit": "",
            "side": "",
        }
    )


def _whole_name(label: Label, *, nested: bool) -> str:
    """The name with what is above it."""
    if nested:
        return label.name.replace(Label.BELOW, " › ")
    return f"{label.parent.name} › {label.name}" if label.parent else label.name


def _own_key(label: Label, place: int, *, few: bool) -> str:
    """The key that means this label for ever. With many labels plain digits follow the rows, so a
    label's own digit takes shift; without any key it is typed as a number in the search."""
    if few:
        return label.hotkey or str((place + 1) % 10)
    if label.hotkey.isdigit():
        return f"⇧{label.hotkey}"
    return label.hotkey or str(place + 1)
