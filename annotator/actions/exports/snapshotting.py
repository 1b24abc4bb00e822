"""A project's rows as they stood at a position of the ledger, one after the other.

Everything is derived from sealed annotations up to the position and from what the snapshot froze
(labels, voices and their skills, consensus), never from tables that go on changing: the same snapshot gives the same
rows at any later time.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from annotator.actions.exports import form_columns
from annotator.actions.imports import media
from annotator.actions.verdicts.verdicts import derive
from annotator.actions.verdicts.votes import Derived, Vote, by_teacher
from annotator.actions.verdicts.weighing import thawed
from annotator.formats import Field
from annotator.formats.boxes import exported as exported_boxes
from annotator.formats.spans import exported as exported_spans
from annotator.formats.writing import ANSWER, labels_in
from annotator.models import AnnotatorKind, ItemKind, Outcome, Project, Shape, Snapshot, Stream
from learning.tasks import Question
from learning.tasks.values import spelled_task

CHUNK = 2_000
# How values are written, by their shape; the size of the image goes with places in it.
_EXPORTED = {"spans": exported_spans, "boxes": exported_boxes}
_SIZED = ("boxes",)
# Items whose votes are held at once are fewer the more labels there are.
_MOST_CELLS = 4_000_000

_ITEMS = """
SELECT id, number, external_id, text, text_b, candidates, image, meta::text, content_hash, part
FROM annotator_item
WHERE project_id = %(project)s AND number >= %(start)s AND number < %(end)s
  AND (removed_at IS NULL OR removed_at > %(taken_at)s::timestamptz)
ORDER BY number
"""
# LIMIT and OFFSET keep the planner at one index probe per row: with fresh statistics it would
# read the whole ledger for every chunk.
_TAKEN_BACK = """coalesce((
    SELECT le.position <= %(position)s FROM annotator_annotation later
    JOIN annotator_ledgerentry le ON le.annotation_id = later.id
    WHERE later.previous_id = a.id LIMIT 1), false)"""
_VOTES = f"""
SELECT a.item_id, a.annotator_id, a.labels, a.stream, e.position, a.question_id, a.kind, {_TAKEN_BACK},
       a.outcome
FROM annotator_annotation a
CROSS JOIN LATERAL (
    SELECT position FROM annotator_ledgerentry
    WHERE annotation_id = a.id AND position <= %(position)s OFFSET 0) e
WHERE a.item_id = ANY(%(items)s)
ORDER BY a.item_id, e.position
"""  # noqa: S608 - of our own text
# What the policy accepted of a teacher when the snapshot was taken.
_ACCEPTED = f"""
SELECT c.item_id, a.labels, e.position, a.value::text
FROM annotator_acceptance c
JOIN annotator_annotation a ON a.id = c.annotation_id AND a.kind = 'answer'
JOIN annotator_ledgerentry e ON e.annotation_id = a.id AND e.position <= %(position)s
WHERE c.item_id = ANY(%(items)s) AND c.accepted_at <= %(taken_at)s::timestamptz
  AND (c.ended_at IS NULL OR c.ended_at > %(taken_at)s::timestamptz) AND NOT {_TAKEN_BACK}
ORDER BY c.item_id
"""  # noqa: S608 - of our own text
_ANNOTATIONS = f"""
SELECT e.position, a.uuid::text, i.number, i.external_id, a.annotator_id, a.kind, a.labels, a.stream,
       a.extra, a.blind, a.seconds, a.comment, a.reason, p.uuid::text,
       to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), {_TAKEN_BACK},
       a.question_id, a.outcome, a.value::text
FROM annotator_ledgerentry e
CROSS JOIN LATERAL (SELECT * FROM annotator_annotation WHERE id = e.annotation_id OFFSET 0) a
JOIN annotator_item i ON i.id = a.item_id
LEFT JOIN annotator_annotation p ON p.id = a.previous_id
WHERE e.project_id = %(project)s AND e.position > %(after)s AND e.position <= %(until)s
  AND (i.removed_at IS NULL OR i.removed_at > %(taken_at)s::timestamptz)
ORDER BY e.position
"""  # noqa: S608 - of our own text


@dataclass
class Counts:
    """What went into the files."""

    by_state: Counter[str] = field(default_factory=Counter)
    by_label: Counter[str] = field(default_factory=Counter)
    by_part: Counter[str] = field(default_factory=Counter)
    by_split: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, dict[str, int]]:
        return {
            name: dict(sorted(counter.items()))
            for name, counter in vars(self).items()
            if name != "by_split" or counter
        }


def thawed_question(kept: dict[str, Any]) -> Question:
    """A question of a form as a snapshot keeps it."""
    lists = {name: tuple(kept[name]) for name in ("labels", "columns", "after")}
    return Question(**kept | lists | {"live": frozenset(kept["live"])})


class Rows:
    """The rows of a snapshot; `report(done, total)` is called as they go by and may raise."""

    def __init__(
        self,
        snapshot: Snapshot,
        splits: dict[str, float],
        report: Callable[[int, int], None],
    ) -> None:
        self._snapshot = snapshot
        self._splits = splits
        self._report = report
        self._frozen: dict[str, Any] = snapshot.manifest["frozen"]
        self._options: dict[str, Any] = snapshot.options
        self._names = {label["id"]: label["export_name"] for label in self._frozen["labels"]}
        by_column = sorted(self._frozen["labels"], key=lambda label: label["column"])
        self.label_names = [label["export_name"] for label in by_column]
        self._voices = {voice["id"]: voice for voice in self._frozen["voices"]}
        self._project = Project(
            pk=snapshot.project_id,
            consensus=self._frozen["consensus"],
            task_type=self._frozen["task_type"],
        )
        self._kind = self._frozen["item_kind"]
        self._shape = self._project.shape
        self.task_type = task = self._project.task_type
        self._spelled = spelled_task(task) if self._project.task.spelled else None
        # Snapshots from before there were questions are written as they were.
        self._asks = bool(self._frozen.get("asks"))
        # So are those from before reviewers' words had outcomes.
        self._reviews = bool(self._frozen.get("reviews"))
        self._task = self._project.task.asking(
            [thawed_question(one) for one in self._frozen.get("questions", ())]
        )
        self._learnt = thawed(self._project, self._frozen.get("skills"))
        self.counts = Counts()

    def item_fields(self) -> list[Field]:
        """The columns of the items' file, which depend on the project and the options alone."""
        kinds: dict[str, Any] = {"id": "text", "number": "integer"}
        if self._kind == ItemKind.IMAGE:
            kinds["image"] = "text"
        else:
            kinds["text"] = "text"
        if self._shape in _SIZED:
            kinds |= {"width": "integer", "height": "integer"}
        if self._kind == ItemKind.PAIR:
            kinds["text_b"] = "text"
        if self._kind == ItemKind.LIST:
            kinds["candidates"] = "texts"
        kinds |= self._label_kinds() | {"state": "text", "source": "text", "voices": "integer"}
        if self._reviews:
            kinds["outcome"] = "text"
        if self._asks:
            kinds["known"] = "json"
        if self._options["soft"]:
            kinds["soft"] = "json"
        if self._options["streams"]:
            kinds |= {"part": "text", "streams": "texts"}
        if self._splits:
            kinds["split"] = "text"
        kinds |= {"content_hash": "text", "meta": "json"}
        return [Field(name, kind) for name, kind in kinds.items()]

    def annotation_fields(self) -> list[Field]:
        """The columns of the annotations' file."""
        kinds: dict[str, Any] = {"position": "integer", "uuid": "text"}
        kinds |= {"item": "integer", "id": "text"}
        kinds |= {"annotator": "text", "annotator_id": "integer", "annotator_kind": "text"}
        kinds |= {"kind": "text"} | self._label_kinds()
        if self._project.task.drawn:
            kinds["shown"] = "text"
        if self._asks:
            kinds["question"] = "text"
        if self._reviews:
            kinds["outcome"] = "text"
        kinds |= {"standing": "flag", "stream": "text"}
        kinds |= {"extra": "flag", "blind": "flag", "seconds": "number"}
        kinds |= {"comment": "text", "reason": "text", "previous": "text", "created_at": "text"}
        return [Field(name, kind) for name, kind in kinds.items()]

    def _label_kinds(self) -> dict[str, str]:
        if self._project.task.spelled:
            return {ANSWER: "text", **dict.fromkeys(self._project.task.tracked, "integer")}
        kinds = {"labels": "texts"} if self._project.multi_label else {"label": "text"}
        kinds |= form_columns.kinds(self._task)
        return kinds if self._shape == Shape.LABELS else kinds | {self._shape: "json"}

    def _label_values(
        self, label_ids: list[int] | None, value: Any, text: str = ""
    ) -> dict[str, Any]:
        """What an answer says, by column; `label_ids` None for what is no answer."""
        if self._spelled is not None:
            told = None if value is None else self._spelled.spell(value)
            return {ANSWER: told} | {
                name: (value or {}).get(name) for name in self._spelled.tracked
            }
        names = [self._names[pk] for pk in label_ids or ()]
        found: dict[str, Any] = {"label": names[0] if names else None}
        if self._project.multi_label:
            by_question = form_columns.values(self._task, self._names, label_ids, value, text)
            found = {"labels": names} | by_question
        if self._task.marking:  # for formats that hold the places of all questions together
            found["marks"] = exported_spans(value, self._names, text)
        if self._task.writing:  # and for those that hold its texts beside its labels
            found["texts"] = form_columns.texts(self._task, value)
        if self._shape != Shape.LABELS:
            found[self._shape] = _EXPORTED[self._shape](value, self._names, text)
        return found

    def items(self, split: str = "") -> Iterator[dict[str, Any]]:
        """Yield a row for every item (of one split), by number."""
        total = self._snapshot.item_count
        step = max(1, min(CHUNK, _MOST_CELLS // max(1, len(self._names))))
        for start in range(0, total, step):
            for row in self._chunk(start, min(start + step, total), split):
                self._count(row)
                yield row
            self._report(min(start + step, total), total)

    def _split(self, content_hash: Any) -> str:
        return split_of(bytes(content_hash), self._splits, self._options["split_seed"])

    def _chunk(self, start: int, end: int, split: str) -> list[dict[str, Any]]:
        snapshot = self._snapshot
        values: dict[str, Any] = {
            "project": snapshot.project_id,
            "start": start,
            "end": end,
            "taken_at": self._frozen["taken_at"],
        }
        with connection.cursor() as cursor:
            cursor.execute(_ITEMS, values)
            found = cursor.fetchall()
            if split:
                found = [row for row in found if self._split(row[8]) == split]
            cursor.execute(
                _VOTES, {"position": snapshot.position, "items": [row[0] for row in found]}
            )
            verdicts, streams = self._said(cursor.fetchall())
            silent = [row[0] for row in found if row[0] not in verdicts]
            cursor.execute(_ACCEPTED, values | {"position": snapshot.position, "items": silent})
            verdicts |= {row[0]: by_teacher(*row) for row in cursor.fetchall()}
        rows = (self._item(row, verdicts.get(row[0]), streams.get(row[0], ())) for row in found)
        if self._options["only_decided"]:
            return [row for row in rows if row["state"] == "decided"]
        return list(rows)

    def _said(self, said: list[Any]) -> tuple[dict[int, Derived], dict[int, list[str]]]:
        """The verdicts that follow from these annotations, and the streams they came by."""
        votes: dict[int, list[Vote]] = defaultdict(list)
        streams: dict[int, set[str]] = defaultdict(set)
        for item, annotator, labels, stream, position, question, kind, taken_back, outcome in said:
            voice = self._voices[annotator]
            if voice["kind"] == AnnotatorKind.TEACHER:  # beside the votes, never one of them
                continue
            streams[item].add(stream)
            counts = (kind == "answer" or outcome == Outcome.BAD) and stream != Stream.GOLD
            if counts and not taken_back:
                who = (item, annotator, labels, stream, voice["weight"], voice["truth"])
                votes[item].append(Vote(*who, position, question, outcome))
        verdicts = {
            one.item: one for one in derive(self._project, votes.values(), self._learnt, self._task)
        }
        return verdicts, {item: sorted(names) for item, names in streams.items()}

    def _item(self, row: Any, verdict: Derived | None, streams: Any) -> dict[str, Any]:
        _, number, external_id, text, text_b, candidates, image, meta, content_hash, part = row
        decided = verdict is not None and verdict.state == "decided"
        digest = bytes(content_hash)
        fields: dict[str, Any] = {
            "id": external_id,
            "number": number,
            "text": text,
            "text_b": text_b,
            "candidates": list(candidates),
            "image": image,
            **(
                self._label_values(verdict.labels, verdict.value, text)
                if verdict is not None and decided
                else self._label_values(None, None)
            ),
            "state": str(verdict.state) if verdict is not None else "unlabelled",
            "source": str(verdict.source) if verdict is not None else None,
            "voices": verdict.voices if verdict is not None else 0,
            "content_hash": digest.hex(),
            "meta": json.loads(meta) if meta != "{}" else {},
            "part": part if "audit" in streams else "",
            "streams": list(streams),
        }
        if self._shape in _SIZED:
            size = media.size_of(self._snapshot.project_id, image)
            fields["width"], fields["height"] = size or (None, None)
        if "labels" in fields and not decided:
            fields["labels"] = None
        if self._reviews:
            fields["outcome"] = (verdict.outcome if verdict is not None else "") or None
        if self._asks:
            fields["known"] = self._answers(verdict)
        if self._options["soft"]:
            soft = verdict.soft.items() if verdict is not None else ()
            fields["soft"] = {self._names[pk]: share for pk, share in soft} or None
        if self._splits:
            fields["split"] = self._split(digest)
        return fields

    def _answers(self, verdict: Derived | None) -> dict[str, bool] | None:
        """What a partial verdict knows: label -> whether it is there; None for any other."""
        if verdict is None or verdict.known is None or verdict.state == "tie":
            return None
        return {self._names[pk]: pk in verdict.labels for pk in verdict.known}

    def _count(self, row: dict[str, Any]) -> None:
        counts = self.counts
        counts.by_state[row["state"]] += 1
        counts.by_part[row["part"] or "none"] += 1
        counts.by_label.update(labels_in(row) or ())
        if "split" in row:
            counts.by_split[row["split"]] += 1

    def annotations(self) -> Iterator[dict[str, Any]]:
        """Yield a row for every annotation up to the position, in the order of the ledger."""
        last = self._snapshot.position
        for after in range(0, last, CHUNK):
            until = min(after + CHUNK, last)
            values: dict[str, Any] = {
                "project": self._snapshot.project_id,
                "position": last,
                "after": after,
                "until": until,
                "taken_at": self._frozen["taken_at"],
            }
            with connection.cursor() as cursor:
                cursor.execute(_ANNOTATIONS, values)
                found = cursor.fetchall()
            yield from map(self._annotation, found)
            self._report(until, last)

    def _annotation(self, row: Any) -> dict[str, Any]:
        voice = self._voices[row[4]]
        value = None if row[18] is None else json.loads(row[18])
        return {
            "position": row[0],
            "uuid": row[1],
            "item": row[2],
            "id": row[3],
            "annotator": voice["name"],
            "annotator_id": row[4],
            "annotator_kind": voice["kind"],
            "kind": row[5],
            **self._label_values(row[6] if row[5] == "answer" else None, value),
            **({"shown": value and value.get("shown")} if self._task.drawn else {}),
            **({"question": self._names.get(row[16])} if self._asks else {}),
            **({"outcome": row[17] or None} if self._reviews else {}),
            "standing": row[5] == "answer" and not row[15],
            "stream": row[7],
            "extra": row[8],
            "blind": row[9],
            "seconds": row[10],
            "comment": row[11],
            "reason": row[12],
            "previous": row[13],
            "created_at": row[14],
        }


def split_of(content_hash: bytes, shares: dict[str, float], seed: str) -> str:
    """Name the split of a content: the same for equal contents, wherever and whenever they occur."""
    drawn = hashlib.sha256(seed.encode() + b"\0" + content_hash).digest()
    place = int.from_bytes(drawn[:8], "big") / 2**64
    reached = 0.0
    for name, share in shares.items():
        reached += share
        if place < reached:
            return name
    return name
