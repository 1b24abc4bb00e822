"""What has to hold of teachers' words under a policy; the doctor asks."""

from __future__ import annotations

from django.db import connection

from annotator.models import Job, Project

HOLDS = "every verdict of a teacher's is a word that the policy accepts where no person answered"
REMEDY = "Change the policy, if only back and forth: the routing that follows sets verdicts right."

# A word counts where it stands and is sealed; a vote where it stands and is sealed.
_BROKEN = """
WITH votes AS (
    SELECT DISTINCT a.item_id FROM annotator_annotation a
    JOIN annotator_annotator v ON v.id = a.annotator_id AND v.kind <> 'teacher'
    JOIN annotator_ledgerentry e ON e.annotation_id = a.id AND e.position IS NOT NULL
    WHERE a.project_id = %(project)s AND (a.kind = 'answer' OR a.outcome = 'bad')
      AND a.stream <> 'gold' AND NOT EXISTS (
        SELECT 1 FROM annotator_annotation later
        JOIN annotator_ledgerentry le ON le.annotation_id = later.id AND le.position IS NOT NULL
        WHERE later.previous_id = a.id)
), accepted AS (
    SELECT c.*, said.labels, said.value, said.annotator_id, said.item_id AS about
    FROM annotator_acceptance c JOIN annotator_annotation said ON said.id = c.annotation_id
    WHERE c.project_id = %(project)s AND c.ended_at IS NULL
)
SELECT 'Item ' || v.item_id || ' has a teacher''s verdict that nothing accepts.'
FROM annotator_verdict v LEFT JOIN accepted c USING (item_id)
WHERE v.project_id = %(project)s AND v.source = 'teacher' AND c.id IS NULL
UNION ALL
SELECT 'Item ' || v.item_id || ' has a teacher''s verdict although somebody answered.'
FROM annotator_verdict v JOIN votes USING (item_id)
WHERE v.project_id = %(project)s AND v.source = 'teacher'
UNION ALL
SELECT 'Item ' || c.item_id || ' has an accepted word, and no verdict or another one.'
FROM accepted c JOIN annotator_item i ON i.id = c.item_id AND i.removed_at IS NULL
LEFT JOIN votes USING (item_id) LEFT JOIN annotator_verdict v USING (item_id)
WHERE votes.item_id IS NULL
  AND (v.item_id IS NULL OR v.source <> 'teacher' OR v.labels <> c.labels OR v.value IS DISTINCT FROM c.value
       OR c.about <> c.item_id)
UNION ALL
SELECT 'Item ' || c.item_id || ' is of the audit sample, and a teacher decides it.'
FROM accepted c JOIN annotator_item i ON i.id = c.item_id
LEFT JOIN votes USING (item_id)
WHERE i.part <> '' AND votes.item_id IS NULL
"""
_AGAINST = """
SELECT 'Item ' || c.item_id || ' is decided by a word that the policy does not accept.'
FROM annotator_acceptance c
JOIN annotator_annotation a ON a.id = c.annotation_id
LEFT JOIN annotator_policy p ON p.project_id = c.project_id
LEFT JOIN annotator_teacher t ON t.id = p.teacher_id
WHERE c.project_id = %(project)s AND c.ended_at IS NULL
  AND NOT (coalesce(p.enabled, false) AND coalesce(t.voice_id = a.annotator_id, false)
           AND c.p_right >= p.confidence)
"""


def acceptances(project: Project) -> list[str]:
    """One sentence per verdict of a teacher's that ought not to be, or is missing."""
    statements = [_BROKEN]
    # A change of the policy is followed by a job; until it is done the former one shows.
    if not Job.objects.live().filter(project=project, kind="route").exists():
        statements.append(_AGAINST)
    found: list[str] = []
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, {"project": project.pk})
            found += [row[0] for row in cursor.fetchall()]
    return found
