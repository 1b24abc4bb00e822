"""Compare encoders on a project's own labels: which there are, ask for it, read what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction

from annotator import jobs
from annotator.actions.encoders import switching
from annotator.errors import ConflictError, InvalidError
from annotator.models import BakeOff, ItemKind, Job, Project, Shape, User

if TYPE_CHECKING:
    from learning.encoders.probing import Place

MOST_CANDIDATES = 12
FEWEST_ITEMS = 30


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An encoder that can be compared, and used."""

    encoder: str
    params: dict[str, Any]
    label: str

    def to_json(self) -> dict[str, Any]:
        return {"encoder": self.encoder, "params": self.params, "label": self.label}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A candidate in the order of the ranking; `place` is None where it failed or is not done."""

    number: int
    candidate: Candidate
    place: Place | None
    seconds: float | None
    dimensions: int | None
    error: str
    in_use: bool


def installed(project: Project) -> list[Candidate]:
    """The encoders that read this project's items and are here: built in, in the models' folder, or
    in use."""
    image = project.item_kind == ItemKind.IMAGE
    found = [candidate(name, {}) for name in _built_in(project)]
    for folder in switching.folders():
        kind = "vision" if image else _kind_of(folder)
        found.append(candidate(kind, {"name": str(folder)}))
    own = candidate(project.encoder, project.encoder_params)
    return found if own in found else [*found, own]


def _built_in(project: Project) -> list[str]:
    if project.item_kind == ItemKind.IMAGE:
        return ["pixels-pca"]
    return ["minilm", "minilm-int8", "tfidf-svd"]


def _kind_of(folder: Path) -> str:
    """A sentence-transformers model says how it pools; any other is averaged."""
    modules = (folder / "modules.json").is_file()
    return "sentence-transformers" if modules else "transformers"


def candidate(encoder: str, params: dict[str, Any]) -> Candidate:
    """An encoder by its name and parameters, as people read it."""
    from learning.encoders import ENCODERS

    label = ENCODERS.entry(encoder).label
    if model := str(params.get("name", "")):
        label = Path(model).name if Path(model).is_absolute() else model
    told = [f"{name} {value}" for name, value in params.items() if name not in ("name", "revision")]
    label = ", ".join([label, *told])
    return Candidate(encoder=encoder, params=dict(params), label=label)


def create(project: Project, chosen: Sequence[Candidate], user: User | None = None) -> BakeOff:
    """Ask for a comparison; the present encoder is always in it.

    Raises InvalidError for candidates that cannot be, ConflictError while one is under way.
    """
    if project.shape != Shape.LABELS:
        raise InvalidError("Encoders are compared where an answer is a label; here it is more.")
    own = candidate(project.encoder, project.encoder_params)
    wanted = [own]
    for each in chosen:
        params = each.params
        if each != own:  # a folder of models may be called by its name alone
            params = switching.checked(project, each.encoder, each.params)
        meant = candidate(each.encoder, params)
        if meant not in wanted:
            wanted.append(meant)
    if len(wanted) < 2:
        raise InvalidError("Choose an encoder to compare the present one with.", field="encoders")
    if len(wanted) > MOST_CANDIDATES:
        told = f"Compare {MOST_CANDIDATES} encoders at most at a time."
        raise InvalidError(told, field="encoders")
    with transaction.atomic():
        # Parts two people who ask at once.
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        if Job.objects.live().filter(project=project, kind="bakeoff").exists():
            raise ConflictError("A comparison of encoders is under way. Wait for it, or cancel it.")
        made = BakeOff.objects.create(
            project=project, candidates=[each.to_json() for each in wanted], created_by=user
        )
        made.job = jobs.enqueue(
            "bakeoff", project=project, params={"bakeoff": made.pk}, started_by=user
        )
        made.save(update_fields=["job"])
    return made


def use(bakeoff: BakeOff, number: int, user: User) -> Job:
    """Let a candidate become the project's encoder, once every item is encoded by it."""
    found = bakeoff.result(number) if 0 <= number < len(bakeoff.candidates) else None
    if found is None or "scores" not in found:
        raise InvalidError("This encoder was not measured here.", field="number")
    chosen = bakeoff.candidates[number]
    return switching.start(bakeoff.project, chosen["encoder"], chosen["params"], user)


def standings(bakeoff: BakeOff) -> list[Standing]:
    """The candidates, best first; those without a score at the end."""
    from learning.encoders.probing import ranked

    scores = {
        number: result["scores"] for number, result in bakeoff.results.items() if "scores" in result
    }
    places = ranked(scores) if scores else []
    order = [int(place.name) for place in places]
    rest = [number for number in range(len(bakeoff.candidates)) if number not in order]
    by_number = dict(zip(order, places, strict=True))
    return [_standing(bakeoff, number, by_number.get(number)) for number in [*order, *rest]]


def _standing(bakeoff: BakeOff, number: int, place: Place | None) -> Standing:
    project, found = bakeoff.project, bakeoff.result(number) or {}
    given = Candidate(**bakeoff.candidates[number])
    return Standing(
        number=number,
        candidate=given,
        place=place,
        seconds=found.get("seconds"),
        dimensions=found.get("dimensions"),
        error=found.get("error", ""),
        in_use=(given.encoder, given.params) == (project.encoder, project.encoder_params),
    )


def measure_of(project: Project) -> str:
    """What quality is, as people read it."""

    return project.task.headline.replace("_", " ").replace("f1", "F1")


def in_words(found: Sequence[Standing]) -> str:
    """What the ranking says, in a sentence; '' while two are not measured."""
    measured = [each for each in found if each.place is not None]
    own = next((each for each in measured if each.in_use), None)
    if len(measured) < 2 or own is None or own.place is None:
        return ""
    best = measured[0]
    if own is best:
        return f"“{own.candidate.label}”, which is in use, did best."
    points = f"{100 * own.place.behind.value:.1f} points"
    if own.place.clearly_behind:
        return f"“{best.candidate.label}” is better than the encoder in use by {points}."
    return (
        f"“{best.candidate.label}” is ahead of the encoder in use by {points}, which may be the luck "
        "of the draws."
    )
