"""Finding labels by what is typed of them: a few of 100,000, read from two indexes and no scan."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, LiteralString

from django.db import connection

from annotator.models import Label, Project

# Above it no page lists the labels of a project: they are searched for, a few at a time.
LISTED_AT_MOST = 100
FOUND_AT_MOST = 20
LONGEST_SEARCH = 200
# Labels with the words somewhere are ranked among so many, so that a common word costs no more.
_RANKED = 100
_TERM = re.compile(r"[^\W_]+")
_LAST = "\U0010ffff"

_BEGINS: LiteralString = r"""
SELECT id FROM annotator_label
WHERE project_id = %(project)s AND archived_at IS NULL
  AND annotator_plain(regexp_replace(name, '^.* > ', '')) COLLATE "C" >= %(from)s
  AND annotator_plain(regexp_replace(name, '^.* > ', '')) COLLATE "C" < %(to)s
ORDER BY annotator_plain(regexp_replace(name, '^.* > ', '')) COLLATE "C" LIMIT %(most)s
"""
_HAS_WORDS: LiteralString = r"""
SELECT id FROM annotator_label
WHERE project_id = %(project)s AND archived_at IS NULL
  AND annotator_label_words(name, description, words) @@ (
    SELECT string_agg(
        '''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || ''':*', ' & ')::tsquery
    FROM unnest(annotator_label_words(%(from)s, '', '{}')))
LIMIT %(ranked)s
"""


def is_wide(project: Project) -> bool:
    """Whether the project has more labels than a page lists; an index says so in a moment."""
    return project.live_labels()[LISTED_AT_MOST : LISTED_AT_MOST + 1].exists()


def find_labels(project: Project, typed: str, most: int = FOUND_AT_MOST) -> list[Label]:
    """The live labels that fit best: names that begin so, words anywhere, last the number typed.

    Words are looked for by their beginnings in name, path, description and accepted words, whatever
    the case and the accents. Nothing typed finds the first labels.
    """
    wanted = plain(typed[:LONGEST_SEARCH].strip())
    if not wanted:
        return list(project.live_labels().select_related("parent")[:most])
    limits = {"project": project.pk, "most": most, "ranked": _RANKED}
    span = {"from": wanted, "to": wanted + _LAST}
    found = dict.fromkeys(_ids(_BEGINS, limits | span))
    if len(found) < most:
        terms = _TERM.findall(wanted)
        somewhere = [pk for pk in _ids(_HAS_WORDS, limits | span) if pk not in found]
        ranked = sorted(_read(somewhere), key=lambda label: _rank(label, terms))
        found |= dict.fromkeys(label.pk for label in ranked)
    numbered = _numbered(project, wanted) - found.keys()
    return _read([*list(found)[: most - len(numbered)], *numbered])


def find_archived(project: Project, typed: str, most: int) -> list[Label]:
    """The labels that are used no more and have what is typed in their name, by name."""
    archived = Label.objects.filter(project=project, archived_at__isnull=False)
    wanted = typed[:LONGEST_SEARCH].replace("\0", " ").strip()
    fits = archived.filter(name__icontains=wanted).select_related("parent")
    return list(fits.order_by("name", "pk")[:most])


def _numbered(project: Project, wanted: str) -> set[int]:
    """The label whose place in the schema is the number typed, if it is one."""
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 9):
        return set()
    place = project.live_labels().filter(position=int(wanted) - 1)
    return set(place.values_list("pk", flat=True)[:1])


def plain(text: str) -> str:
    """Without case and accents, as the indexes hold names; the database has the same function."""
    parted = unicodedata.normalize("NFKD", text.replace("\0", " "))
    return "".join(c for c in parted if not "\u0300" <= c <= "\u036f").lower()


def _ids(sql: LiteralString, values: dict[str, Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [pk for (pk,) in cursor.fetchall()]


def _read(ids: list[int]) -> list[Label]:
    found = Label.objects.select_related("parent").in_bulk(ids)
    return [found[pk] for pk in ids if pk in found]


def _rank(label: Label, terms: list[str]) -> tuple[bool, bool, bool, int]:
    """As typed in the path comes first, then words in the label's own part, in its path, elsewhere."""
    part, name = plain(label.part), plain(label.name)
    return (
        " ".join(terms) not in " ".join(_TERM.findall(name)),
        not all(term in part for term in terms),
        not all(term in name for term in terms),
        label.position,
    )
