"""The codebook: what labels and guidelines said before, and the items that a new meaning puts in doubt."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any

from django.db import connection

from annotator.actions.review import flag_events
from annotator.models import (
    CodebookChange,
    Flag,
    FlagKind,
    FlagState,
    Label,
    Project,
    User,
    VerdictState,
)

# Comparing words takes the square of their number; from so many characters on lines are compared.
LONG = 10_000
# An item that waits for such a look already is not put there twice: it is compared with what the
# label said when the first of them began to wait.
_ASK = """
INSERT INTO annotator_flag
    (project_id, item_id, kind, reason, state, created_at, labels, suggested, evidence, scores, rank,
     outcome, change_id)
SELECT v.project_id, v.item_id, %(kind)s, '', %(open)s, now(),
       ARRAY(SELECT unnest(v.labels) INTERSECT SELECT unnest(%(labels)s::bigint[])), '{}',
       '[]', '{}', row_number() OVER (ORDER BY i.number), '', %(change)s
FROM annotator_verdict v JOIN annotator_item i ON i.id = v.item_id AND i.removed_at IS NULL
WHERE v.project_id = %(project)s AND v.state = %(decided)s
  AND v.labels && %(labels)s::bigint[]
  AND NOT EXISTS (
    SELECT 1 FROM annotator_flag f
    WHERE f.item_id = v.item_id AND f.state = %(open)s AND f.kind = %(kind)s
      AND f.labels && %(labels)s::bigint[])
RETURNING id, item_id
"""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of two texts put side by side: "same", "added" or "removed"."""

    kind: str
    text: str


def difference(before: str, after: str) -> list[Part]:
    """Word by word, long texts line by line; what was taken out comes before what was put in."""
    if len(before) + len(after) >= LONG:
        return _parts(before.splitlines(keepends=True), after.splitlines(keepends=True))
    # The blank lets a first word be like any other: each has the one in front of it.
    parts = _parts(_words(f" {before}"), _words(f" {after}"))
    first, *rest = parts
    if first.kind == "same":
        return _filled([Part(kind="same", text=first.text[1:]), *rest])
    second, *rest = rest
    blank = " " if second.kind == "same" else ""
    first = Part(kind=first.kind, text=first.text[1:] + blank)
    return _filled([first, Part(kind=second.kind, text=second.text[1:]), *rest])


def _filled(parts: list[Part]) -> list[Part]:
    return [part for part in parts if part.text]


def _parts(old: list[str], new: list[str]) -> list[Part]:
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    parts = []
    for _, i1, i2, j1, j2 in matcher.get_opcodes():
        if old[i1:i2] == new[j1:j2]:
            parts.append(Part(kind="same", text="".join(old[i1:i2])))
            continue
        for kind, words in (("removed", old[i1:i2]), ("added", new[j1:j2])):
            if words:
                parts.append(Part(kind=kind, text="".join(words)))
    return parts


def _words(text: str) -> list[str]:
    """Blanks of their own would be compared with all others, which takes seconds."""
    return re.findall(r" ?\S+|\s", text)


def with_label(label: Label) -> int:
    """How many items have this label now, or one below it in the tree."""
    decided = label.project.verdicts.filter(state=VerdictState.DECIDED, item__removed_at=None)
    return decided.filter(labels__overlap=_meant(label)).count()


def _meant(label: Label) -> list[int]:
    """The labels that mean something else when this one does: itself, and what is below it."""
    if not label.project.task.nested:
        return [label.pk]
    under = Label.objects.filter(
        project_id=label.project_id, name__startswith=f"{label.name}{Label.BELOW}"
    )
    return [label.pk, *under.values_list("pk", flat=True)]


def note_label(
    label: Label, was: Label, *, by: User | None, means_else: bool
) -> CodebookChange | None:
    """Keep what a label was called and described as before; None where it says the same.

    Where it `means_else` now, every item that has it waits for a reviewer's second look. The caller's
    transaction holds the change itself.
    """
    same = (was.name, was.description) == (label.name, label.description)
    if same and not means_else:
        return None
    change = CodebookChange.objects.create(
        project_id=label.project_id,
        label=label,
        name_before=was.name,
        name_after=label.name,
        before=was.description,
        after=label.description,
        means_else=means_else,
        changed_by=by,
    )
    if means_else:
        change.asked = _ask(change, _meant(label))
        change.save(update_fields=["asked"])
    return change


def note_guidelines(project: Project, before: str, by: User | None) -> CodebookChange:
    """Keep what the guidelines said before."""
    return CodebookChange.objects.create(
        project=project, before=before, after=project.guidelines, changed_by=by
    )


def _ask(change: CodebookChange, labels: list[int]) -> int:
    values: dict[str, Any] = {
        "kind": FlagKind.DEFINITION.value,
        "open": FlagState.OPEN.value,
        "decided": VerdictState.DECIDED.value,
        "project": change.project_id,
        "labels": labels,
        "change": change.pk,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ASK, values)
        asked = [
            Flag(pk=pk, item_id=item, kind=FlagKind.DEFINITION) for pk, item in cursor.fetchall()
        ]
    flag_events.opened(change.project_id, asked)
    return len(asked)
