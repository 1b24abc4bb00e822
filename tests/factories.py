"""The cast and what they work on: Ana labels, Ben reviews, Lea leads, Cleo is a stranger."""

import hashlib
import random
from dataclasses import dataclass
from typing import Any

from annotator.models import Item, Label, Membership, Project, Role, User

PASSWORD = "correct horse battery staple"
LABELS = ("Billing", "Delivery", "Login")


@dataclass(frozen=True)
class Cast:
    lea: User
    ana: User
    ben: User
    cleo: User


def make_user(name: str, **fields: Any) -> User:
    return User.objects.create_user(
        username=name, email=f"{name}@example.org", password=PASSWORD, **fields
    )


def make_cast() -> Cast:
    return Cast(*(make_user(name) for name in ("lea", "ana", "ben", "cleo")))


def join(project: Project, user: User, role: Role, **fields: Any) -> Membership:
    return Membership.objects.create(project=project, user=user, role=role, **fields)


def make_project(cast: Cast, *, labels: tuple[str, ...] = LABELS, **fields: Any) -> Project:
    """Make a project of Lea's in which Ana labels and Ben reviews; Cleo has no part in it."""
    fields = {"name": "Tickets", "created_by": cast.lea, **fields}
    project = Project.objects.create(**fields)
    join(project, cast.lea, Role.OWNER)
    join(project, cast.ana, Role.ANNOTATOR)
    join(project, cast.ben, Role.REVIEWER)
    for column, name in enumerate(labels):
        Label.objects.create(
            project=project,
            column=column,
            key=name.lower(),
            name=name,
            hotkey=str(column + 1) if column < 9 else "",
            colour=column % 8,
            position=column,
        )
    return project


def make_items(project: Project, texts: list[str] | int, *, seed: int = 7) -> list[Item]:
    """Append items to a project's pool, with a secret order that the seed decides."""
    if isinstance(texts, int):
        texts = [f"ticket number {number}" for number in range(texts)]
    draw = random.Random(seed)
    first = project.item_count
    items = [
        Item(
            project=project,
            number=first + offset,
            text=text,
            content_hash=hashlib.blake2b(text.encode(), digest_size=16).digest(),
            order_key=draw.random(),
        )
        for offset, text in enumerate(texts)
    ]
    Item.objects.bulk_create(items)
    project.item_count = first + len(items)
    project.save(update_fields=["item_count"])
    return items
