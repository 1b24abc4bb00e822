"""What gives answers that are more than labels on the label page, by what the answers are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from annotator.models import Item, Project
from annotator.templatetags.concord import controls_of


@dataclass(frozen=True, kw_only=True)
class Widget:
    """A script and what it finds on the page.

    module: the script; also: scripts that it loads, so that they come at once.
    tools: a template above the labels; aside: one beside the item; stage: what the item's place is to a
    screen reader. given: what the script needs of an item, which HTML would change.
    marks: the script writes the item's text itself. application: it takes all keys there.
    """

    module: str
    tools: str
    stage: str
    given: Callable[[Item], dict[str, Any]]
    also: tuple[str, ...] = ()
    aside: str = ""
    marks: bool = False
    application: bool = False

    def data(self, item: Item) -> str:
        """What an item's card carries for the script, as JSON."""
        return json.dumps(self.given(item), ensure_ascii=False)


def _marked(item: Item) -> dict[str, Any]:
    return {"text": item.text, "controls": controls_of(item.text)}


def _begun(item: Item) -> dict[str, Any]:
    return {"begun": item.text_b}


WIDGETS = {
    "spans": Widget(
        module="label/spans.js",
        also=("label/span-text.js",),
        tools="label/span_tools.html",
        aside="label/span_side.html",
        stage="Item: arrow keys select words, j and k go through spans",
        given=_marked,
        marks=True,
        application=True,
    ),
    "ranking": Widget(
        module="label/ranking.js",
        tools="label/ranking.html",
        stage="Item",
        given=lambda item: {"candidates": item.candidates},
    ),
    "boxes": Widget(
        module="label/boxes.js",
        also=("label/box-sheet.js",),
        tools="label/box_tools.html",
        aside="label/box_side.html",
        stage="Picture: n makes a box, arrow keys move it, with shift they resize it, j and k go through boxes",
        given=lambda item: {},
        application=True,
    ),
    "form": Widget(
        module="label/form.js",
        also=("label/form-text.js", "label/text-field.js"),
        tools="label/form.html",
        stage="Item",
        given=lambda item: {},
    ),
    "marked form": Widget(
        module="label/marked-form.js",
        also=(
            *("label/form.js", "label/form-text.js", "label/text-field.js"),
            *("label/spans.js", "label/span-text.js"),
        ),
        tools="label/marked_form.html",
        aside="label/span_side.html",
        stage="Item: where the text is marked arrow keys select words, j and k go through spans",
        given=_marked,
        marks=True,
        application=True,
    ),
    "text": Widget(
        module="label/writing.js",
        also=("label/text-field.js",),
        tools="label/writing.html",
        stage="Item",
        given=_begun,
    ),
}


def widget_of(project: Project) -> Widget | None:
    """What gives the answers of a project; None where labels are chosen among all of them."""
    if project.has_questions:
        task = project.task
        widget = WIDGETS["marked form" if task.marking else "form"]
        edits = any(one.edits for one in task.writing)
        return replace(widget, given=_begun) if edits else widget
    return WIDGETS.get(project.shape)
