"""Where a person's next item may come from: audit, gold, the queue, or any open item.

Each source is one statement that finds an item, takes its place and writes the lease.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import LiteralString

from annotator.actions.desk import entering
from annotator.actions.queue import auditing
from annotator.models import Project

GOLD_SLOT = 20_000

# The second half knows answers without a place of their own: extras, and a reviewer's words. Who was
# asked one question about an item may be asked another one, or the whole answer, later; `{asked}` is
# the question of the pick.
_UNMET: LiteralString = """NOT EXISTS (
    SELECT 1 FROM annotator_assignment met
    WHERE met.item_id = i.id AND met.annotator_id = %(annotator)s
      AND met.state IN ('leased', 'answered', 'skipped')
      AND (met.question_id IS NULL OR met.state = 'leased' OR met.question_id = {asked})
) AND NOT EXISTS (
    SELECT 1 FROM annotator_annotation said
    WHERE said.item_id = i.id AND said.annotator_id = %(annotator)s AND said.kind = 'answer'
      AND (said.question_id IS NULL OR said.question_id = {asked})
      AND NOT EXISTS (SELECT 1 FROM annotator_annotation later WHERE later.previous_id = said.id)
)"""

_IN_BATCH: LiteralString = "(%(batch)s::bigint IS NULL OR i.batch_id = %(batch)s::bigint)"

_FROM_QUEUE: LiteralString = f"""
WITH place AS (
    SELECT p.id FROM annotator_pick p JOIN annotator_item i ON i.id = p.item_id
    WHERE p.project_id = %(project)s AND i.open
      AND (p.leased_until IS NULL OR p.leased_until < now())
      AND {_IN_BATCH} AND {_UNMET.format(asked="p.question_id")}
    ORDER BY p.rank LIMIT 1 FOR NO KEY UPDATE OF i, p SKIP LOCKED
), found AS (
    UPDATE annotator_pick p SET leased_until = now() + %(seconds)s * interval '1 second'
    FROM place WHERE p.id = place.id
    RETURNING p.item_id, p.slot, p.reason, p.probability, p.suggestion, p.question_id, p.label_set,
        p.set_size
)"""  # noqa: S608 - only our own constants are put in

_FROM_POOL: LiteralString = f"""
WITH found AS (
    SELECT i.id AS item_id, free.s AS slot, '' AS reason,
           NULL::float8 AS probability, '[]'::jsonb AS suggestion, NULL::bigint AS question_id,
           NULL::jsonb AS label_set, NULL::int AS set_size
    FROM annotator_item i CROSS JOIN LATERAL (
        SELECT s FROM generate_series(0, %(overlap)s + i.extra_voices - 1) s
        WHERE NOT EXISTS (
            SELECT 1 FROM annotator_assignment taken
            WHERE taken.item_id = i.id AND taken.slot = s AND taken.question_id IS NULL
              AND (taken.state = 'answered'
                   OR taken.state = 'leased' AND taken.lease_until >= now()))
        ORDER BY s LIMIT 1
    ) free(s)
    WHERE i.project_id = %(project)s AND i.answers < %(overlap)s + i.extra_voices AND i.removed_at IS NULL
      AND {{which}} AND {_IN_BATCH} AND {_UNMET.format(asked="NULL")}
    ORDER BY i.order_key LIMIT 1 FOR NO KEY UPDATE OF i SKIP LOCKED
)"""  # noqa: S608 - only our own constants are put in

# Places of gold items lie far beyond every overlap, so that any number of people have one.
_FROM_GOLD: LiteralString = f"""
WITH found AS (
    SELECT i.id AS item_id, free.slot, '' AS reason, NULL::float8 AS probability,
           '[]'::jsonb AS suggestion, NULL::bigint AS question_id, NULL::jsonb AS label_set,
           NULL::int AS set_size
    FROM annotator_golditem g JOIN annotator_item i ON i.id = g.item_id CROSS JOIN LATERAL (
        SELECT coalesce(max(taken.slot) + 1, {GOLD_SLOT}) AS slot FROM annotator_assignment taken
        WHERE taken.item_id = i.id AND taken.slot >= {GOLD_SLOT}
          AND taken.state IN ('leased', 'answered')
    ) free
    WHERE g.project_id = %(project)s AND g.ended_at IS NULL AND i.removed_at IS NULL
      AND {_UNMET.format(asked="NULL")}
    ORDER BY hashint8extended(g.id, %(annotator)s) LIMIT 1 FOR NO KEY UPDATE OF i SKIP LOCKED
)"""  # noqa: S608 - only our own constants are put in

_LEASE: LiteralString = """, fresh AS (
    INSERT INTO annotator_assignment (
        project_id, item_id, annotator_id, slot, state, stream, reason, probability, suggestion,
        question_id, label_set, set_size, fallback, leased_at, lease_until)
    SELECT %(project)s, item_id, %(annotator)s, slot, 'leased', %(stream)s::varchar,
           coalesce(nullif(reason, ''), %(reason)s), probability,
           -- Until a student has an opinion, what the file suggested; a blind item shows neither, nor
           -- does one whose further voice is to be its own.
           CASE WHEN suggestion NOT IN ('[]', '{"spans": []}') OR %(stream)s::varchar IN ('audit', 'gold')
                     OR EXISTS (SELECT 1 FROM annotator_item i WHERE i.id = found.item_id
                                AND i.extra_voices > 0 AND i.answers > 0) THEN suggestion
                ELSE coalesce((
                    SELECT CASE WHEN bool_or(s.value IS NOT NULL) THEN jsonb_build_object('spans', coalesce((
                        SELECT jsonb_agg(one || jsonb_build_object('probability',
                                                                   coalesce(whose.probability, 1)))
                        FROM annotator_suggestion whose,
                             jsonb_array_elements(whose.value->'spans') one
                        WHERE whose.item_id = found.item_id), '[]')) || jsonb_strip_nulls(
                        -- Labels of a form that stand beside its spans.
                        jsonb_build_object('labels', jsonb_agg(
                            jsonb_build_array(s.label_id, coalesce(s.probability, 1))
                            ORDER BY s.probability DESC NULLS FIRST)
                            FILTER (WHERE s.value->'spans' = '[]')))
                    ELSE jsonb_agg(jsonb_build_array(s.label_id, coalesce(s.probability, 1))
                                   ORDER BY s.probability DESC NULLS FIRST) END
                    FROM annotator_suggestion s WHERE s.item_id = found.item_id), (
                    -- What a teacher marked, put in order, wrote or answered to a form, but for items
                    -- that both are asked about.
                    SELECT CASE WHEN t.value->'labels' IS NULL OR t.value->'spans' IS NOT NULL
                                THEN t.value - '{steady,apart}'::text[] ELSE t.value->'labels' END FROM annotator_teacheranswer t
                    WHERE t.item_id = found.item_id AND t.value IS NOT NULL
                      AND t.annotation_id IS NOT NULL
                      AND NOT EXISTS (SELECT 1 FROM annotator_annotation later
                                      WHERE later.previous_id = t.annotation_id)
                      AND NOT EXISTS (SELECT 1 FROM annotator_double d
                                      WHERE d.item_id = found.item_id)
                    ORDER BY t.id DESC LIMIT 1), suggestion) END,
           question_id, label_set, set_size, %(fallback)s, now(), now() + %(seconds)s * interval '1 second'
    FROM found ON CONFLICT DO NOTHING RETURNING id
), counted AS (
    UPDATE annotator_annotator SET served = served + 1
    WHERE id = %(annotator)s AND EXISTS (SELECT 1 FROM fresh)
)
SELECT found.item_id, found.slot, fresh.id FROM found LEFT JOIN fresh ON true
"""


@dataclass(frozen=True)
class Source:
    """Where an item may come from, and how the lease then reads."""

    sql: LiteralString
    stream: str
    fallback: bool = False
    reason: str = ""


AUDIT = Source(
    _FROM_POOL.format(which="i.order_key <= %(cutoff)s") + _LEASE,
    "audit",
    reason="Drawn at random, so that the figures stay honest",
)
# Looks like an audit item to whoever answers it.
GOLD = Source(_FROM_GOLD + _LEASE, "gold", reason=AUDIT.reason)
ENTRY = Source(_FROM_GOLD + _LEASE, "gold", reason=entering.REASON)
QUEUE = Source(_FROM_QUEUE + _LEASE, "active")
ANYWHERE = Source(
    _FROM_POOL.format(which="i.open AND i.order_key > %(cutoff)s") + _LEASE,
    "active",
    fallback=True,
    reason="Any open item: the queue has nothing free for you just now",
)
# The same where nothing is queued: nothing was chosen yet, or all that was is answered.
UNQUEUED = replace(ANYWHERE, reason="Any open item: nothing is queued just now")


def for_turn(project: Project, served: int) -> list[Source]:
    """Audit or gold when it is its turn, else the queue, else anything open."""
    sources = [QUEUE, ANYWHERE, AUDIT]
    if auditing.is_turn(project.gold_share, served):
        sources.insert(0, GOLD)
    if auditing.is_turn(project.audit_share, served):
        sources.insert(0, AUDIT)
    return sources
