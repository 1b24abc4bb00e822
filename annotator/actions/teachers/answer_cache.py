"""Answers that a teacher gave before, in the database: every worker finds them, none asks twice."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from annotator.actions.teachers.budgets import Through
from annotator.models import TeacherCache
from learning.teachers.limits import Kept

# A call with its tries takes minutes at most; a claim that nobody lets go ends by itself.
CLAIM_SECONDS = 600

# The claim and the look are one statement: of two who ask at once one gets the row.
_CLAIM = """
INSERT INTO annotator_teachercache (project_id, key, run, asking_until, created_at)
VALUES (%(project)s, %(key)s, %(run)s, now() + %(seconds)s * interval '1 second', now())
ON CONFLICT (project_id, key) DO UPDATE
SET asking_until = excluded.asking_until, run = excluded.run
WHERE annotator_teachercache.answer IS NULL AND annotator_teachercache.asking_until < now()
RETURNING id
"""

# A text that no run keeps is of a worker that was killed before it wrote it down.
_UNKEPT = """
DELETE FROM annotator_teachercache AS cached
WHERE project_id = %s AND answer ? 'text' AND NOT EXISTS (
    SELECT FROM annotator_teacheranswer AS given
    WHERE given.project_id = cached.project_id AND given.value->>'text' = cached.answer->>'text'
)
"""


def forget_texts(project_id: int, texts: Collection[str]) -> None:
    """Forget these texts, and those of which nobody knows what they are about."""
    TeacherCache.objects.filter(project_id=project_id, answer__text__in=texts).delete()
    with connection.cursor() as cursor:
        cursor.execute(_UNKEPT, [project_id])


def let_go(project_id: int, run: int) -> int:
    """End the claims of a run whose worker is gone, so that others ask at once."""
    claimed = TeacherCache.objects.filter(project_id=project_id, run=run, answer__isnull=True)
    return claimed.update(asking_until=Now() - timedelta(seconds=1), run=None)


@dataclass(frozen=True, kw_only=True)
class ProjectCache:
    """A project's kept answers, as the library asks for them.

    place: where they came from; a model of the same name elsewhere may be another one.
    run: which run asks.
    """

    project_id: int
    run: int
    place: str
    through: Through[Any]

    def begin(self, key: str) -> Kept | bool:
        """What is kept; True when the caller shall ask; False while another one asks."""
        found: Kept | bool = self.through(lambda: self._begin(self._here(key)))
        return found

    def finish(self, key: str, answer: dict[str, Any] | None) -> None:
        """Keep an answer, or let the next one ask."""
        self.through(lambda: self._finish(self._here(key), answer))

    def _here(self, key: str) -> str:
        return sha256(f"{self.place} {key}".encode()).hexdigest()

    def _begin(self, key: str) -> Kept | bool:
        with connection.cursor() as cursor:
            values: dict[str, int | str] = {"project": self.project_id, "key": key}
            values |= {"run": self.run, "seconds": CLAIM_SECONDS}
            cursor.execute(_CLAIM, values)
            if cursor.fetchone() is not None:
                return True
        rows = TeacherCache.objects.filter(project_id=self.project_id, key=key)
        answer = rows.values_list("answer", flat=True).first()
        return False if answer is None else Kept(answer)

    def _finish(self, key: str, answer: dict[str, Any] | None) -> None:
        mine = TeacherCache.objects.filter(project_id=self.project_id, key=key, answer__isnull=True)
        if answer is None:
            mine.update(asking_until=Now() - timedelta(seconds=1))
            return
        # A reason may quote the item, and must be forgotten with it; the ledger holds it. So must a text,
        # which is found here by what the run keeps of it.
        mine.update(answer={**answer, "reason": ""}, asking_until=None)
