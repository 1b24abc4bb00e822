"""Does an import differ from the pool it joined? Told on its own page and on Progress."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import QuerySet

from annotator import jobs
from annotator.actions.encoders.encoding import current_encoding, open_matrix
from annotator.actions.explore.searching import predictions_of
from annotator.models import BatchState, ImportBatch, Item, ItemKind, Label, Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Items of each side that are looked at; the first of the secret order are a uniform sample.
MOST, FEWEST = 600, 30
LATEST = 5
# Where items may have several labels, they have those from this probability on.
LIKELY = 0.5
LONGEST_EXAMPLE = 160


def wish(project: Project) -> None:
    """Ask for a comparison of imports that were not compared yet; safe to ask twice."""
    if _waiting(project).exists():
        with transaction.atomic():
            jobs.enqueue("compare", project=project, key=f"compare:{project.pk}")


def _waiting(project: Project) -> QuerySet[ImportBatch]:
    latest = ImportBatch.objects.filter(project=project, state=BatchState.DONE)
    latest = latest.filter(items_added__gte=FEWEST, first_number__gte=FEWEST)
    newest = latest.order_by("-pk").values_list("pk", flat=True)[:LATEST]
    return latest.filter(pk__in=list(newest), report__difference__isnull=True)


def warnings(project: Project) -> list[ImportBatch]:
    """The latest imports that differ, newest first."""
    done = ImportBatch.objects.filter(project=project, state=BatchState.DONE)
    return list(done.filter(report__difference__differs=True).order_by("-pk")[:3])


def run_compare(run: jobs.Run) -> dict[str, Any]:
    """Compare each waiting import with the items that were there before it."""
    project = run.project
    encoding = current_encoding(project)
    if encoding is None:
        return {"compared": 0}
    compared = 0
    for batch in _waiting(project).order_by("pk"):
        run.progress(compared, LATEST, f"Comparing {batch.file_name}")
        if (batch.first_number or 0) + batch.items_added > encoding.rows:
            continue  # its items are not encoded yet; the training that follows asks again
        found = _compared(project, batch, open_matrix(encoding).view())
        with run.fence():
            fresh = ImportBatch.objects.select_for_update().get(pk=batch.pk)
            if fresh.state == BatchState.DONE:
                report = fresh.report | {"difference": found}
                ImportBatch.objects.filter(pk=batch.pk).update(report=report)
        compared += 1
    return {"compared": compared}


def _compared(project: Project, batch: ImportBatch, encodings: Any) -> dict[str, Any]:
    """The difference as JSON; labels by id, examples by item number."""
    import numpy as np

    from learning.audit.difference import difference
    from learning.errors import NotEnoughDataError

    items = Item.objects.filter(project=project).present().order_by("order_key")
    old = _sample(items.filter(number__lt=batch.first_number))
    new = _sample(items.filter(batch=batch))
    label_ids, said = _said(project, old, new)
    rng = np.random.default_rng([project.pk, batch.pk])
    texts = None
    if project.item_kind != ItemKind.IMAGE:
        texts = [text for _, text in old], [text for _, text in new]
    try:
        found = difference(
            _rows(encodings, old),
            _rows(encodings, new),
            rng,
            said=said,
            texts=texts,
            kinds=len(label_ids),
        )
    except NotEnoughDataError as refusal:
        return {"differs": False, "why": str(refusal)}
    told = asdict(found)
    told["labels"] = [
        {name: _finite(value) for name, value in each.items() if name != "column"}
        | {"id": label_ids[each["column"]]}
        for each in told["labels"]
    ]
    told["examples"] = [
        {"item": new[row][0], "text": new[row][1][:LONGEST_EXAMPLE]} for row in told["examples"]
    ]
    return told


def _sample(items: QuerySet[Item]) -> list[tuple[int, str]]:
    return [(number, f"{a} {b}".strip()) for number, a, b in
            items.values_list("number", "text", "text_b")[:MOST]]  # fmt: skip


def _rows(encodings: Any, sample: list[tuple[int, str]]) -> NDArray[np.float32]:
    import numpy as np

    return np.asarray(encodings[[number for number, _ in sample]], dtype=np.float32)


def _said(project: Project, old: Any, new: Any) -> tuple[list[int], Any]:
    """(label ids, the student's column of each old and each new item, or None).

    -1 where items may have several labels and none is likely. A student that was trained before the
    import came has no word on it.
    """
    import numpy as np

    predictions, version = predictions_of(project), project.current_student
    if predictions is None or version is None:
        return [], None
    highest = max(number for number, _ in [*old, *new])
    if highest >= predictions.rows:
        return [], None

    enough = LIKELY if predictions.multi_label else 0.0

    def column(number: int) -> int:
        likeliest, p = predictions.top(number, 1)[0]
        return likeliest if p >= enough else -1

    def columns(sample: Any) -> NDArray[np.int64]:
        return np.array([column(number) for number, _ in sample], dtype=np.int64)

    return list(version.label_ids), (columns(old), columns(new))


def _finite(value: float) -> float | None:
    """JSON knows no infinity: a factor without a bound is null."""
    import math

    return round(value, 6) if math.isfinite(value) else None


def sentence(project: Project, told: dict[str, Any]) -> str:
    """What differs, in words: labels with their factor and interval, then new words."""
    names = dict(Label.objects.filter(project=project).values_list("pk", "name"))
    parts = [_told(each, names) for each in told.get("labels", [])[:3] if each["id"] in names]
    if told.get("words"):
        parts.append(f"new words: {', '.join(told['words'][:6])}")
    what = "; ".join(parts) or "no label or word stands out; look at the examples"
    return (
        f"{what}. Compared were {told['new']:,} of its items with {told['old']:,} earlier ones; chance "
        f"alone would part them so {_chance(told['p'])}."
    )


def _chance(p: float) -> str:
    return "in less than 1 of 200 cases" if p < 0.005 else f"in {p * 100:.0f} of 100 cases"


def _told(each: dict[str, Any], names: dict[int, str]) -> str:
    name, factor = names[each["id"]], each["factor"]
    shares = f"{each['before'] * 100:.0f} % before, {each['after'] * 100:.0f} % now, by the student"
    if factor is None:
        return f"{name} is new ({shares})"
    if factor >= 1:
        high = f" to {each['high']:.1f}" if each["high"] is not None else " or more"
        return f"{factor:.1f} times as many about {name} ({each['low']:.1f}{high}; {shares})"
    return f"{name} is rarer, {factor:.2f} times as often ({shares})"
