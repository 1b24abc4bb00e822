"""Another encoder for a project: every item is encoded anew, then it serves; until then the old one.

Nothing of the project changes before the last row is written, so a failure or a cancel leaves the
encoder, the matrix and the student of before.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from annotator import jobs
from annotator.actions.encoders.encoding import fill
from annotator.actions.explore import mapping
from annotator.actions.teachers import local_models
from annotator.errors import ConflictError, InvalidError
from annotator.models import ItemKind, Job, JobState, Project, User

OF_TEXTS = {"minilm", "minilm-int8", "tfidf-svd", "sentence-transformers", "transformers"}
ENCODERS_BY_KIND = {
    ItemKind.TEXT: OF_TEXTS,
    ItemKind.PAIR: OF_TEXTS,
    ItemKind.LIST: OF_TEXTS,
    ItemKind.IMAGE: {"pixels-pca", "vision"},
}
_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")


def start(project: Project, encoder: str, params: dict[str, Any], user: User | None = None) -> Job:
    """Ask for another encoder. Raises InvalidError for one that cannot be, ConflictError while a
    change is under way or nothing would change.
    """
    chosen = checked(project, encoder, params)
    if (project.encoder, project.encoder_params) == (encoder, chosen):
        raise ConflictError("The project uses this encoder already.")
    with transaction.atomic():
        # Parts two people who choose at once.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if under_way(project) is not None:
            raise ConflictError(
                "A change of encoder is under way. Wait for its end, or cancel it under Encoder."
            )
        job = jobs.enqueue(
            "switch",
            project=project,
            params={"encoder": encoder, "params": chosen},
            key=f"switch:{project.pk}",
            started_by=user,
        )
        return job or Job.objects.get(key=f"switch:{project.pk}", state=JobState.QUEUED)


def under_way(project: Project) -> Job | None:
    """The change that waits or runs, if there is one."""
    return Job.objects.live().filter(project=project, kind="switch").order_by("id").first()


def checked(project: Project, encoder: str, params: dict[str, Any]) -> dict[str, Any]:
    """The parameters as they are kept. Raises InvalidError for an encoder that does not read these
    items, and for a model that is neither in the models' folder nor pinned to a commit.
    """
    from learning.encoders import ENCODERS
    from learning.errors import LearningError

    if encoder not in ENCODERS_BY_KIND[ItemKind(project.item_kind)]:
        told = f"The encoder {encoder} does not read {project.get_item_kind_display()} items."
        raise InvalidError(told, field="encoder")
    chosen = dict(params)
    if "name" in chosen:
        chosen["name"] = _model(str(chosen["name"]), chosen.get("revision"))
    try:
        ENCODERS.create(encoder, chosen)
    except (LearningError, TypeError) as error:
        raise InvalidError(str(error), field="encoder_params") from error
    return chosen


def _model(name: str, revision: object) -> str:
    """A model's name on a hub, or its folder."""
    if _HUB_NAME.match(name):
        if not _COMMIT.match(str(revision or "")):
            raise InvalidError(
                "Name the commit of a model on a hub, 40 hexadecimal digits, so that everybody gets "
                "the same vectors.",
                field="encoder_revision",
            )
        return name
    for known in folders():
        if name in (known.name, str(known)):
            return str(known)
    listed = ", ".join(each.name for each in folders()) or "none so far"
    raise InvalidError(
        f"There is no model “{name}” in {local_models.folder()}. There are: {listed}. A model of a "
        "hub is named owner/name, with its commit.",
        field="encoder_name",
    )


def folders() -> list[Path]:
    """The models that an operator put into the data folder."""
    return [Path(settings.DATA_DIR) / "models" / name for name in local_models.names()]


def run_switch(run: jobs.Run) -> dict[str, Any]:
    """Encode every item by the new encoder, then let it serve, all in one transaction."""
    from learning.errors import LearningError

    encoder, params = run.params["encoder"], run.params["params"]
    try:
        while True:
            encoding = fill(run, run.project, encoder, params)
            with run.fence():
                # Parts this from an import: items that it adds now are encoded by the new one.
                project = Project.objects.select_for_update(no_key=True).get(pk=run.project.pk)
                if project.item_count > encoding.rows:
                    continue
                Project.objects.filter(pk=project.pk).update(encoder=encoder, encoder_params=params)
                mapping.follow(project)
                jobs.enqueue("train", project=project, key=f"train:{project.pk}")
            return {"rows": encoding.rows, "fingerprint": encoding.fingerprint}
    except LearningError as error:
        raise InvalidError(f"The encoder was not changed: {error}") from error
