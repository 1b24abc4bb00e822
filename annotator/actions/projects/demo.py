"""The demo: tickets, notices and wordings written for it, and scikit-learn's digits as images."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import secrets
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from annotator.actions.imports import importing
from annotator.actions.projects import people, projects, schema
from annotator.errors import UnavailableError
from annotator.formats.mapping import Mapping
from annotator.models import ImportBatch, Membership, Project, Role, User

# A project, and what begins the import of its file.
Prepared = tuple[Project, Callable[[], ImportBatch]]

FOLDER = Path(__file__).resolve().parents[2] / "demo"
DIGITS = 600
DIGIT_PIXELS = 64
# Read from the keyboard's number row: 1 to 9, then 0.
DIGIT_NAMES = ("One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Zero")

# (name, key, description, hotkey)
NOTICE_LABELS = [
    ("Person", "person", "A person by name, with the title: “Dr Ines Okafor”.", "1"),
    ("Organiser", "organiser", "A club, choir, council or team that has a name.", "2"),
    ("Place", "place", "Where it happens: a building, a street, a river with its name.", "3"),
    ("Date", "date", "A day, a span of days or a time: “Friday evening”, “12 March”.", "4"),
]


def ensure_demo() -> list[dict[str, str]]:
    """Make the demo on a fresh installation. Returns its log-ins, the same at every start.

    On an installation that people have begun to use without it, makes nothing.
    """
    known = _stored_logins()
    if known is None and User.objects.exists():
        return []
    logins = known or _fresh_logins()
    if not User.objects.filter(username=logins[0]["username"]).exists():
        with transaction.atomic():
            _make(logins)
    return logins


def _logins_file() -> Path:
    return Path(settings.DATA_DIR) / "demo-logins.json"


def _stored_logins() -> list[dict[str, str]] | None:
    try:
        stored: list[dict[str, str]] = json.loads(_logins_file().read_text())
    except FileNotFoundError:
        return None
    return stored


def _fresh_logins() -> list[dict[str, str]]:
    roles = {"lea": Role.OWNER, "ana": Role.ANNOTATOR, "ben": Role.REVIEWER}
    logins = [
        {"username": name, "password": secrets.token_urlsafe(9), "role": role.label}
        for name, role in roles.items()
    ]
    path = _logins_file()
    path.touch(mode=0o600)
    path.write_text(json.dumps(logins))
    return logins


def _make(logins: list[dict[str, str]]) -> None:
    lea, ana, ben = (_person(login) for login in logins)
    lea.is_staff = lea.is_superuser = True
    lea.save(update_fields=["is_staff", "is_superuser"])
    # Home lists the latest first: the tickets, where a look around begins. Their file is read first too.
    made = [prepare(lea) for prepare in (_digits, _wordings, _notices, _tickets)]
    for project, begin in reversed(made):
        Membership.objects.create(project=project, user=ana, role=Role.ANNOTATOR)
        Membership.objects.create(project=project, user=ben, role=Role.REVIEWER)
        begin()


def _person(login: dict[str, str]) -> User:
    return people.create_user(login["username"], login["password"])


def _tickets(owner: User) -> Prepared:
    project = projects.create_project(
        owner,
        "Support tickets",
        description="What is this message about? 662 invented messages to an invented shop.",
        guidelines=(FOLDER / "guidelines.md").read_text(),
    )
    labels = json.loads((FOLDER / "labels.json").read_text())
    schema.add_labels(
        project, [(x["name"], x["key"], x["description"], x["hotkey"]) for x in labels]
    )
    names = {x["key"]: x["name"] for x in labels}
    given = json.loads((FOLDER / "prelabelled.json").read_text())
    return project, partial(
        importing.start_import,
        project,
        io.BytesIO(_rows(names, given["answers"]).encode()),
        Mapping(text="text", label="label", id="id", metadata=("channel", "date")),
        importing.Options(voice=given["annotator"]),
        owner,
        name="tickets.jsonl",
    )


def _rows(names: dict[str, str], answers: dict[str, str]) -> str:
    """The corpus as a user would upload it: true labels left out, the helpdesk's 150 put in."""
    lines = []
    for line in (FOLDER / "tickets.jsonl").read_text().splitlines():
        ticket: dict[str, Any] = json.loads(line)
        answer = answers.get(ticket["id"])
        kept = {name: ticket[name] for name in ("id", "text", "channel", "date")}
        lines.append(json.dumps(kept | {"label": names[answer] if answer else ""}))
    return "\n".join(lines)


def _notices(owner: User) -> Prepared:
    project = projects.create_project(
        owner,
        "Notice board",
        description="Who does what, where and when? 60 invented notices, half of them marked.",
        guidelines=(FOLDER / "notices.md").read_text(),
        task_type="spans",
    )
    schema.add_labels(project, NOTICE_LABELS)
    return project, partial(
        importing.start_import,
        project,
        io.BytesIO((FOLDER / "notices.jsonl").read_bytes()),
        Mapping(text="text", label="spans", id="id"),
        importing.Options(voice="The old calendar"),
        owner,
        name="notices.jsonl",
    )


def _wordings(owner: User) -> Prepared:
    project = projects.create_project(
        owner,
        "Help page wordings",
        description="Which of two wordings is better? 48 invented pairs, half of them answered.",
        guidelines=(FOLDER / "wordings.md").read_text(),
        task_type="preference",
        item_kind="pair",
    )
    return project, partial(
        importing.start_import,
        project,
        io.BytesIO((FOLDER / "wordings.jsonl").read_bytes()),
        Mapping(text="text", text_b="text_b", label="label", id="id"),
        importing.Options(voice="The editor before you"),
        owner,
        name="wordings.jsonl",
    )


def _digits(owner: User) -> Prepared:
    project = projects.create_project(
        owner,
        "Handwritten digits",
        description="Which digit is it? Proof that items are not only text.",
        guidelines="Answer with the digit's own key. Skip what you cannot read.",
        item_kind="image",
    )
    entries = [(name, name.lower(), "", str((n + 1) % 10)) for n, name in enumerate(DIGIT_NAMES)]
    schema.add_labels(project, entries)
    return project, partial(
        importing.start_import,
        project,
        io.BytesIO(_digit_pictures()),
        Mapping(image="image", id="name"),
        importing.Options(),
        owner,
        name="digits.zip",
    )


def _digit_pictures() -> bytes:
    from PIL import Image

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number, line in enumerate(islice(_digit_lines(), DIGITS)):
            shades = [float(value) for value in line.split(",")[:64]]  # 0 white … 16 black
            grey = bytes(int(255 - shade * (255 / 16)) for shade in shades)
            picture = Image.frombytes("L", (8, 8), grey).resize(
                (DIGIT_PIXELS, DIGIT_PIXELS), Image.Resampling.BICUBIC
            )
            file = io.BytesIO()
            picture.save(file, "PNG")
            archive.writestr(f"digit-{number:04}.png", file.getvalue())
    return packed.getvalue()


def _digit_lines() -> Iterator[str]:
    """Read scikit-learn's own file, for loading the library would take seconds."""
    found = importlib.util.find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise UnavailableError("scikit-learn is not installed; run make install.")
    path = Path(found.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(path, "rt") as lines:
        yield from lines
