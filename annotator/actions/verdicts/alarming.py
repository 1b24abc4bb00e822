"""Alarms about people's answers, each with its evidence: for a reviewer to look at, never a verdict.

Nothing follows from an alarm by itself: a person may be fast because the items are easy.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from annotator.actions.desk import golding
from annotator.models import Annotator, AnnotatorKind, Project

# The last so many answers of each person are looked at, and nothing is said of fewer.
LAST, FEWEST = 50, 20
# Agreement is looked at among so many latest answers of all: a page asks for it.
LATEST = 20_000
FEWEST_GOLD = 10
# Faster than this nobody reads; or so many times faster than the others are.
LEAST_SECONDS, TIMES_FASTER = 0.5, 4
SAME_SHARE = 0.8
# How far below the others' agreement somebody's surely lies.
LESS_AGREEMENT = 0.1
# Alarms look at many people again and again: their intervals are wide.
CONFIDENCE = 0.99

_LAST_ANSWERS = """
SELECT recent.annotator_id, recent.seconds, recent.labels
FROM annotator_annotator v CROSS JOIN LATERAL (
    SELECT a.annotator_id, a.seconds, a.labels, a.id FROM annotator_annotation a
    WHERE a.annotator_id = v.id AND a.kind = 'answer' AND a.question_id IS NULL
      AND a.assignment_id IS NOT NULL AND a.seconds IS NOT NULL AND a.stream <> 'review'
    ORDER BY a.id DESC LIMIT %(last)s
) recent
WHERE v.project_id = %(project)s AND v.kind = 'person'
"""
# Pairs of people's standing answers to one item, among the latest: by both, how many are equal.
_PAIRS = """
WITH said AS (
    SELECT a.item_id, a.annotator_id, a.labels FROM annotator_annotation a
    JOIN annotator_annotator v ON v.id = a.annotator_id AND v.kind = 'person'
    WHERE a.project_id = %(project)s AND a.kind = 'answer' AND a.question_id IS NULL
      AND a.stream IN ('active', 'audit')
      AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = a.id)
    ORDER BY a.id DESC LIMIT %(latest)s
)
SELECT one.annotator_id, other.annotator_id, count(*),
       count(*) FILTER (WHERE one.labels @> other.labels AND other.labels @> one.labels)
FROM said one JOIN said other ON other.item_id = one.item_id AND other.annotator_id > one.annotator_id
GROUP BY 1, 2
"""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something about a person's answers that a reviewer should see, in a sentence with numbers."""

    annotator_id: int
    name: str
    kind: str
    evidence: str


class _Said(NamedTuple):
    seconds: float
    labels: tuple[int, ...]


def of(project: Project) -> list[Alarm]:
    """Every alarm of a project as of now, by person."""
    people = Annotator.objects.filter(project=project, kind=AnnotatorKind.PERSON)
    names = dict(people.order_by("name", "pk").values_list("pk", "name"))
    labels = dict(project.labels.values_list("pk", "name"))
    said = _last_answers(project)
    found = {
        "speed": {pk: _speed(pk, said) for pk in said},
        "same-label": {pk: _same_label(pk, said, labels) for pk in said},
        "gold": _gold(project),
        "agreement": _agreement(project),
    }
    return [
        Alarm(annotator_id=pk, name=name, kind=kind, evidence=evidence)
        for pk, name in names.items()
        for kind, by_person in found.items()
        if (evidence := by_person.get(pk))
    ]


def _last_answers(project: Project) -> dict[int, list[_Said]]:
    found: dict[int, list[_Said]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_LAST_ANSWERS, {"project": project.pk, "last": LAST})
        for annotator, seconds, labels in cursor.fetchall():
            found[annotator].append(_Said(seconds, tuple(sorted(labels))))
    return {pk: rows for pk, rows in found.items() if len(rows) >= FEWEST}


def _speed(person: int, said: dict[int, list[_Said]]) -> str:
    """Their usual time beside the others', or beside what reading takes at all."""
    from statistics import median

    own = median(each.seconds for each in said[person])
    others = [each.seconds for pk, rows in said.items() if pk != person for each in rows]
    usual = median(others) if others else None
    if own < LEAST_SECONDS:
        told = f"half of the last {len(said[person])} answers took less than {own:.1f} s"
        return f"{told}; others take {usual:.1f} s" if usual is not None else told
    if usual is None or own * TIMES_FASTER >= usual:
        return ""
    return (
        f"half of the last {len(said[person])} answers took less than {own:.1f} s, others' "
        f"{usual:.1f} s"
    )


def _same_label(person: int, said: dict[int, list[_Said]], names: dict[int, str]) -> str:
    """One answer nearly always, where others give it surely less often."""
    from collections import Counter

    from learning.metrics import wilson

    (answer, count), *_ = Counter(each.labels for each in said[person]).most_common(1)
    n = len(said[person])
    others = [each.labels for pk, rows in said.items() if pk != person for each in rows]
    if count < SAME_SHARE * n or len(others) < FEWEST:
        return ""
    elsewhere = others.count(answer)
    if wilson(count, n, CONFIDENCE)[0] <= wilson(elsewhere, len(others), CONFIDENCE)[1]:
        return ""
    name = ", ".join(names.get(pk, "?") for pk in answer) or "none"
    return (
        f"{count} of the last {n} answers are “{name}”; of others' answers {elsewhere} of "
        f"{len(others)}"
    )


def _gold(project: Project) -> dict[int, str]:
    """People whose share of right gold answers surely lies below what the entry round asks for."""
    from learning.metrics import wilson

    found = {}
    for pk, score in golding.scores(project).items():
        if score.asked < FEWEST_GOLD:
            continue
        low, high = wilson(score.right, score.asked, CONFIDENCE)
        if high < project.entry_pass:
            found[pk] = (
                f"{score.right} of {score.asked} gold items right ({low:.0%} to {high:.0%}); the "
                f"entry round asks for {project.entry_pass:.0%}"
            )
    return found


def _agreement(project: Project) -> dict[int, str]:
    """People who agree with others surely less than the others do among each other.

    With two people nobody can say which of them is wrong, so nothing is.
    """
    from learning.metrics import wilson

    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, {"project": project.pk, "latest": LATEST})
        pairs = cursor.fetchall()
    found = {}
    for person in {pk for one, other, *_ in pairs for pk in (one, other)}:
        own = [row[2:] for row in pairs if person in row[:2]]
        rest = [row[2:] for row in pairs if person not in row[:2]]
        shared, same = map(sum, zip(*own, strict=True))
        among, equal = map(sum, zip(*rest, strict=True)) if rest else (0, 0)
        if shared < FEWEST or among < FEWEST:
            continue
        low, high = wilson(same, shared, CONFIDENCE)
        if high < equal / among - LESS_AGREEMENT:
            found[person] = (
                f"equal to others' answers on {same} of {shared} ({low:.0%} to {high:.0%}); the "
                f"others among each other on {equal / among:.0%}"
            )
    return found
