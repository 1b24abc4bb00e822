"""Blank what a person or an item said, and keep that it was said: hashes and positions stay.

Files that already left (snapshots, backups) are not reached; the command says so.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from knox.models import AuthToken

from annotator import outbox
from annotator.actions.desk import assigning
from annotator.actions.encoders import reading_lists, reading_words
from annotator.actions.encoders.encoding import open_matrix
from annotator.actions.explore import mapping
from annotator.actions.imports.media import image_path
from annotator.actions.teachers import answer_cache
from annotator.actions.verdicts import sealing
from annotator.errors import ConflictError, NotFoundError
from annotator.models import (
    Annotation,
    Annotator,
    Assignment,
    Encoding,
    Flag,
    Invitation,
    Item,
    ItemSearch,
    Membership,
    RecordedAnswer,
    Role,
    TeacherAnswer,
    User,
    Verdict,
)


def redact_annotation(annotation: Annotation, by: str) -> None:
    """Blank an annotation's comment and reason through the audited door."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT annotator_redact(%s, %s)", [by, annotation.pk])


def redact_item(item: Item, by: str) -> int:
    """Blank an item: its texts, id, metadata, image, vector, every comment on it and every text that was
    written about it.

    Returns how many comments were blanked. Its labels, hash and number stay.
    """
    image, project_id = item.image, item.project_id
    with transaction.atomic():
        # Parts us from who decides the item by the texts that are about to go, and from who writes of it.
        sealing.hold(project_id)
        _open_door(by, "redact item", item.pk)
        blanked = _redact_all(Annotation.objects.filter(item=item), by)
        Flag.objects.filter(item=item).update(reason="", evidence=[])
        _unquote(item)
        RecordedAnswer.objects.filter(item=item).update(
            reason="", unknown="", spans=None, written=""
        )
        _unwrite(item)
        ItemSearch.objects.filter(item=item).delete()
        outbox.forget_item(project_id, item.pk)
        Item.objects.filter(pk=item.pk).update(
            text="",
            text_b="",
            candidates=[""] * len(item.candidates),
            external_id="",
            meta={},
            image="",
        )
        _redact_texts(item, by)
        _forget_vector(item)
    if image and not Item.objects.filter(project_id=project_id, image=image).exists():
        _remove_image(project_id, image)
    return blanked


def redact_person(user: User, by: str) -> int:
    """Take a person's name out: account, voices, comments. Their answers stay, nameless.

    Returns how many comments were blanked. Raises ConflictError for the only owner of a project.
    """
    owned = Membership.objects.filter(user=user, role=Role.OWNER, project__archived_at=None)
    for membership in owned.select_related("project"):
        others = membership.project.memberships.filter(role=Role.OWNER).exclude(user=user)
        if not others.exists():
            raise ConflictError(
                f"{user.username} is the only owner of “{membership.project.name}”. "
                "Make somebody else owner first, or delete the project."
            )
    with transaction.atomic():
        _open_door(by, "redact person", user.pk)
        voices = list(Annotator.objects.filter(user=user))
        for voice in voices:
            assigning.release_all(voice)
        blanked = _redact_all(Annotation.objects.filter(annotator__in=voices), by)
        Flag.objects.filter(raised_by__in=voices).update(reason="")
        Annotator.objects.filter(user=user).update(name=f"removed-{user.pk}")
        Membership.objects.filter(user=user).delete()
        Invitation.objects.filter(created_by=user, revoked_at=None).update(revoked_at=Now())
        AuthToken.objects.filter(user=user).delete()
        _blank_account(user)
    return blanked


def _open_door(by: str, deed: str, subject: int) -> None:
    """Leave a line in the log of the ledger's door, and close the door at once."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT annotator_open_ledger(%s, %s, %s)", [by, deed, subject])
        cursor.execute("SELECT set_config('annotator.ledger_door', '', true)")


def _redact_all(annotations: QuerySet[Annotation], by: str) -> int:
    found = list(annotations.exclude(comment="", reason=""))
    for annotation in found:
        redact_annotation(annotation, by)
    return len(found)


def _unquote(item: Item) -> None:
    """Blank the evidence of flags on other items that tells of this one, with its texts and its id."""
    about = [{"others": [{"number": item.number}]}]
    Flag.objects.filter(project=item.project_id, evidence__contains=about).update(evidence=[])


def _unwrite(item: Item) -> None:
    """Blank what teachers wrote about the item, where it was kept and where it was suggested."""
    answers = TeacherAnswer.objects.filter(item=item, value__has_key="text")
    texts = list(answers.values_list("value__text", flat=True))
    answers.update(value={"text": "", "apart": None})
    answer_cache.forget_texts(item.project_id, texts)
    Assignment.objects.filter(item=item, suggestion__has_key="text").update(suggestion=[])


def _redact_texts(item: Item, by: str) -> None:
    """Blank what voices wrote about the item, and the verdict that one of these texts became."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT annotator_redact_texts(%s, %s)", [by, item.pk])
    for verdict in Verdict.objects.filter(item=item, value__has_any_keys=["text", "texts"]):
        value = verdict.value or {}
        if "text" in value:
            value["text"] = ""
        for one in value.get("texts", {}).values():
            one["text"] = ""
        verdict.value = value
        verdict.save(update_fields=["value"])


def _blank_account(user: User) -> None:
    from allauth.account.models import EmailAddress
    from allauth.mfa.models import Authenticator

    EmailAddress.objects.filter(user=user).delete()
    Authenticator.objects.filter(user=user).delete()
    user.username, user.email = f"removed-{user.pk}", ""
    user.first_name = user.last_name = ""
    user.is_active = user.is_staff = user.is_superuser = False
    user.set_unusable_password()  # ends every session, whose rows expire by themselves
    user.save()


def _forget_vector(item: Item) -> None:
    """Zero the item's row in every matrix, and take it off the map: a vector tells much of its text."""
    import numpy as np

    for encoding in Encoding.objects.filter(project_id=item.project_id):
        matrix = open_matrix(encoding)
        if item.number < matrix.rows:
            matrix.write(item.number, np.zeros((1, encoding.dimensions), dtype=np.float32))
    reading_words.forget(item)
    reading_lists.forget(item)
    mapping.forget(item)


def _remove_image(project_id: int, name: str) -> None:
    try:
        image_path(project_id, name).unlink(missing_ok=True)
    except NotFoundError:
        return  # it was gone already
