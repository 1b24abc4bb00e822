"""Fill a system for the loop: banking77-like items, 77 labels, an encoded pool, people signed in.

Run inside the system's environment: `python -m bench.loop.prepare ITEMS PEOPLE`; prints JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

LABELS = 77


def main(items: int, people: int) -> dict[str, Any]:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator.settings")
    import django

    django.setup()
    from annotator.actions.desk import assigning
    from annotator.actions.projects import projects, schema
    from annotator.actions.queue import auditing
    from annotator.models import Membership, Role, User

    lea, _ = User.objects.get_or_create(username="lea")
    project = projects.create_project(lea, f"Loop {items:,}")
    project.training_paused = True
    project.retrain_answers = 10
    project.save()
    schema.add_labels(project, [(f"label {n:02}", "", "", "") for n in range(LABELS)])
    _insert_items(project.pk, texts(items))
    project.refresh_from_db()
    auditing.recut(project)
    _write_matrix(project, items)
    voices = []
    for n in range(people):
        user, _ = User.objects.get_or_create(username=f"p{n}")
        Membership.objects.create(project=project, user=user, role=Role.ANNOTATOR)
        assigning.voice_of(project, user)
        voices.append(sign_in(user))
    return {
        "project": project.pk,
        "labels": list(project.labels.order_by("column").values_list("pk", flat=True)),
        "people": voices,
    }


def texts(items: int) -> list[str]:
    """Real banking77 texts with a running index when DATASETS is set, else made-up ones."""
    folder = os.environ.get("DATASETS")
    base = [f"my card payment number {n} was declined at the till today" for n in range(10_000)]
    if folder:
        import gzip

        with gzip.open(Path(folder) / "banking77" / "train.jsonl.gz", "rt") as rows:
            base = [json.loads(row)["text"] for row in rows]
    return [f"{base[n % len(base)]} #{n}" for n in range(items)]


def _insert_items(project_id: int, contents: list[str]) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO annotator_item (project_id, number, external_id, text, text_b, image, meta,
                content_hash, order_key, part, open, answers, created_at)
            SELECT %s, n - 1, '', t, '', '', '{}', decode(md5(t), 'hex'), random(), '', true, 0,
                   now()
            FROM unnest(%s::text[]) WITH ORDINALITY AS given(t, n)
            """,
            [project_id, contents],
        )
        cursor.execute(
            "UPDATE annotator_project SET item_count = %s WHERE id = %s",
            [len(contents), project_id],
        )
        cursor.execute("ANALYZE annotator_item")


def _write_matrix(project: Any, items: int) -> None:
    """Unit vectors in 77 clusters: what the encoder would give, without its minutes."""
    import numpy as np

    from annotator.actions.encoders.encoding import open_matrix, ready_encoder
    from annotator.models import Encoding

    ready = ready_encoder(project)
    encoding = Encoding.objects.create(
        project=project,
        encoder=project.encoder,
        params=project.encoder_params,
        fingerprint=ready.fingerprint,
        dimensions=ready.dimensions,
    )
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(LABELS, ready.dimensions)).astype(np.float32)
    matrix = open_matrix(encoding)
    for start in range(0, items, 10_000):
        rows = np.arange(start, min(start + 10_000, items))
        block = centres[rows % LABELS] + 1.5 * rng.normal(size=(len(rows), ready.dimensions))
        block /= np.linalg.norm(block, axis=1, keepdims=True)
        matrix.write(start, block.astype(np.float32))
    Encoding.objects.filter(pk=encoding.pk).update(rows=items)


def sign_in(user: Any) -> str:
    """A session such as signing in makes; the rate limit of the log-in page is not what we time."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "allauth.account.auth_backends.AuthenticationBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


if __name__ == "__main__":
    json.dump(main(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)
