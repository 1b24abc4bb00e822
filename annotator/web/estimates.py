"""The kept figures of a project as a page shows them: rows with their intervals, worst first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from annotator.actions.figures import advising
from annotator.models import Label, Project
from annotator.web.charts import Point, Series

# Rows before the rest goes behind a disclosure.
FIRST = 8
# Rows in all that a page brings; of very many labels the API tells the others.
MOST = 100
# Bars that end below this share need a digit behind the point.
FINE = 0.3

CRITERIA = {
    "kappa-average": (
        "Kappa average",
        "successive students agree (mean of the last three pairs)",
    ),
    "classification-change": (
        "Classification change",
        "nothing changes from one student to the next",
    ),
    "overall-uncertainty": ("Overall uncertainty", "mean normalised entropy, below the threshold"),
    "label-sleuth": (
        "Label Sleuth",
        "precision of the worst label; tells once 20 predicted items of every label were drawn",
    ),
}
VERDICTS = {
    "stop": ("success", "check", "It may be time to stop"),
    "go-on": ("", "chart", "More {}s are likely to pay"),
    "open": ("", "chart", "More {}s may pay"),
    "empty": ("warn", "warn", "Too early to advise"),
}


@dataclass(frozen=True, kw_only=True)
class Share:
    """An estimate in words, and as places on a bar of 100; value is None while nothing is known."""

    value: float | None
    low: float
    high: float
    n: int
    scale: float = 1.0

    @property
    def start(self) -> float:
        return self._place(self.low)

    @property
    def width(self) -> float:
        return max(self._place(self.high) - self.start, 0.5)

    @property
    def at(self) -> float:
        return min(self._place(self.value or 0.0), 99.2)

    @property
    def digits(self) -> int:
        """Small shares are told to a tenth, so that rare labels do not all look alike."""
        return int(self.scale < FINE)

    def _place(self, share: float) -> float:
        return round(100 * min(share / self.scale, 1.0), 2)


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """A label's figures. `given` is its share of the labels given, which is not the pool's."""

    name: str
    hue: int
    recall: Share | None = None
    precision: Share | None = None
    share: Share | None = None
    count: int = 0
    given: float = 0.0
    given_at: float = 0.0

    @property
    def misleads(self) -> str:
        """How the labels given mislead, when they do for sure."""
        if self.share is None or self.share.value is None:
            return ""
        if self.given > self.share.high:
            return "more often than in the pool"
        return "less often than in the pool" if self.given < self.share.low else ""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """Rows, of which the later ones wait behind a disclosure, and `unlisted` ones stay away."""

    first: list[Any]
    rest: list[Any]
    unlisted: int = 0


def listed(rows: list[Any], most: int = FIRST) -> Listed:
    """All at once when only a few would wait."""
    if len(rows) <= most + 3:
        return Listed(first=rows, rest=[])
    return Listed(first=rows[:most], rest=rows[most:MOST], unlisted=max(len(rows) - MOST, 0))


def _share(kept: dict[str, Any], scale: float = 1.0) -> Share:
    return Share(scale=scale, **{name: kept[name] for name in ("value", "low", "high", "n")})


def context(project: Project, figures: dict[str, Any] | None) -> dict[str, Any]:
    """What the templates of the honest numbers need; `figures` as `estimating` keeps them."""
    if figures is None:
        return {"figures": None}
    labels = Label.objects.filter(project=project).in_bulk()
    accuracy, macro = figures["accuracy"], figures["macro_f1"]
    return {
        "figures": figures,
        "accuracy": accuracy and _share(accuracy),
        "macro_f1": macro and _share(macro),
        "quality": listed(_quality(figures, labels)),
        "shares": listed(_shares(figures, labels)),
        "criteria": _criteria(figures),
        "advice": _advice(figures),
        "domains": _domains(figures.get("domains"), labels),
    }


def _quality(figures: dict[str, Any], labels: dict[int, Label]) -> list[LabelRow]:
    rows = [
        LabelRow(
            name=labels[each["id"]].name,
            hue=labels[each["id"]].colour % 12,
            recall=_share(each["recall"]),
            precision=_share(each["precision"]),
        )
        for each in figures["labels"]
        if each["id"] in labels
    ]
    return sorted(rows, key=badness)


def badness(row: LabelRow) -> tuple[float, float]:
    """Surely weak ones first: by the upper end of the recall, so that a rare label of which one item
    was missed does not come before a frequent one that fails often."""
    recall = row.recall
    return (2.0, 0.0) if recall is None or not recall.n else (recall.high, recall.value or 0.0)


def _shares(figures: dict[str, Any], labels: dict[int, Label]) -> list[LabelRow]:
    """The most frequent first; the bars are drawn against the longest interval."""
    kept = [each for each in figures["shares"] if each["id"] in labels]
    decided = max(figures["decided"], 1)
    ends = [each["share"]["high"] for each in kept if each["share"]["n"]]
    scale = max([*ends, *(each["given"] / decided for each in kept), 0.01])
    rows = [
        LabelRow(
            name=labels[each["id"]].name,
            hue=labels[each["id"]].colour % 12,
            share=_share(each["share"], scale),
            count=each["given"],
            given=each["given"] / decided,
            given_at=round(min(100 * each["given"] / decided / scale, 99.2), 2),
        )
        for each in kept
    ]
    return sorted(rows, key=lambda row: (-((row.share and row.share.value) or 0.0), -row.count))


def _criteria(figures: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": CRITERIA[each["name"]][0],
            "text": CRITERIA[each["name"]][1],
            "below": each["name"] == "overall-uncertainty",
            "threshold": each["threshold"],
            "share": _share(each["estimate"]),
            "stops": each["stops"],
            "waits": _waits(each),
        }
        for each in figures["criteria"]
    ]


def _waits(criterion: dict[str, Any]) -> bool:
    """Label Sleuth's rule is met by the labels that can be told, and some cannot be told yet."""
    value = criterion["estimate"]["value"]
    met = value is not None and value >= criterion["threshold"]
    return bool(criterion["name"] == "label-sleuth" and met and not criterion["stops"])


def _advice(figures: dict[str, Any]) -> dict[str, Any]:
    """The verdict in words, with the gain and the cost that are behind it."""
    coming = figures["next"]
    gain, took = coming["gain"], coming.get("cost")
    found: dict[str, Any] = {
        "labels": coming["labels"],
        "word": advising.word_of(figures),
        "cost": took,
        "gain": gain,
    }
    if took:
        found["hours"] = advising.hours(took)
    if gain:
        tone, icon, title = VERDICTS[gain["verdict"]]
        found |= {
            "tone": tone,
            "icon": icon,
            "title": title.format(found["word"]),
            "points": advising.points(gain["gain"]),
            "low": advising.points(gain["low"]),
            "high": advising.points(gain["high"]),
        }
    return found


def _domains(kept: dict[str, Any] | None, labels: dict[int, Label]) -> dict[str, Any] | None:
    """Each value of the column with its labels, the most frequent first."""
    if kept is None:
        return None
    return {
        "column": kept["column"],
        "student": kept["student"],
        "values": [
            {
                "name": each["value"],
                "items": each["items"],
                "audited": each["audited"],
                "disagree": each.get("disagree", False),
                "rows": listed(_domain_rows(each, kept["label_ids"], labels), 6),
            }
            for each in kept["domains"]
        ],
    }


def _domain_rows(
    each: dict[str, Any], label_ids: list[int], labels: dict[int, Label]
) -> list[LabelRow]:
    found = each["labels"] or []
    live = [
        (labels[pk], share)
        for pk, share in zip(label_ids, found, strict=False)
        if pk in labels and labels[pk].archived_at is None
    ]
    # Where the audit of the domain contradicts the correction, only the audit itself is believed.
    name = "direct" if each.get("disagree") else "share"
    scale = max([share[name]["high"] for _, share in live], default=1.0) or 1.0
    rows = [
        LabelRow(
            name=label.name,
            hue=label.colour % 12,
            share=_share(share[name], scale),
            given=share["counted"],
            given_at=round(min(100 * share["counted"] / scale, 99.2), 2),
        )
        for label, share in live
    ]
    return sorted(rows, key=lambda row: -((row.share and row.share.value) or 0.0))


def curve_series(figures: dict[str, Any]) -> list[Series]:
    """Every version on the same drawn items, and what is ahead."""
    measured = [
        _point(each, f"Student {each['student']}: ", "measured on") for each in figures["curve"]
    ]
    ahead = [_point(each, "Forecast: ", "from") for each in figures["forecast"]]
    return [
        Series(name="random sample (audit)", points=measured),
        Series(name="forecast", points=ahead, ahead=True),
    ]


def _point(each: dict[str, Any], who: str, on: str) -> Point:
    found = each["accuracy"]
    return Point(
        x=each["labels"],
        y=found["value"],
        low=found["low"],
        high=found["high"],
        title=f"{who}{found['value']:.0%} ({found['low']:.0%} to {found['high']:.0%}) after "
        f"{each['labels']:,} labelled items, {on} {found['n']:,} drawn ones",
    )
