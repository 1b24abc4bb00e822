"""Texts that answer a form's questions: as pages show them, and as their plain forms send them back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.http import QueryDict

from annotator.models import Annotation, FormQuestion, Project

# A plain form's field for the text that answers a question, before its key; and for the one it showed.
FIELD, HAD = "text:", "had:"


def names_of(project: Project) -> dict[str, str]:
    """Key -> name of the questions that take a text, in their order; none where answers are no forms."""
    if not project.has_questions:
        return {}
    rows = FormQuestion.objects.filter(project=project, kind=FormQuestion.WRITTEN)
    return dict(rows.values_list("key", "name"))


def of_value(names: Mapping[str, str], value: Any) -> list[tuple[str, str]]:
    """(name of the question, text) of all that an answer writes."""
    said = (value or {}).get("texts", {})
    return [(name, said[key]["text"]) for key, name in names.items() if key in said]


def given(form: QueryDict, field: str = FIELD) -> dict[str, str]:
    """Key -> text that a form gives."""
    named = [name for name in form if name.startswith(field)]
    return {name.removeprefix(field): form.get(name, "") for name in named}


def keep(form: QueryDict) -> None:
    """Let a form say what it showed, whatever was typed since."""
    for name in [name for name in form if name.startswith(FIELD)]:
        del form[name]
    for key, text in given(form, HAD).items():
        form[f"{FIELD}{key}"] = text


def with_texts(
    questions: Sequence[dict[str, Any]], value: Any, said: Iterable[Annotation] = ()
) -> list[dict[str, Any]]:
    """The questions with the text that a page offers, and each text that a voice wrote, with whose it is."""
    has, voices = (value or {}).get("texts", {}), list(said)
    found: list[dict[str, Any]] = []
    for one in questions:
        key = one["key"]
        offers: dict[str, list[str]] = {}
        for each in voices:
            text = (each.value or {}).get("texts", {}).get(key, {}).get("text", "")
            if text:
                offers.setdefault(text, []).append(each.annotator.name)
        own = {"text": has.get(key, {}).get("text", ""), "offers": list(offers.items())}
        found.append(one | own if one["writes"] else one)
    return found
