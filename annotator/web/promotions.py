"""Decisions which student serves, in words: what was decided, and what the next one still needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from annotator.actions.queue import auditing
from annotator.actions.students import promoting
from annotator.models import Part, Project, Promotion, PromotionRule, StudentVersion
from annotator.web import encoders, measures
from learning.taggers import TAGGERS

SHOWN = 8
# A difference that chance alone makes more often than this is told as chance.
CHANCE = 0.05


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A version of another recipe, and what its next test waits for."""

    version: StudentVersion
    sentence: str
    beside: str


def context(project: Project) -> dict[str, Any]:
    """What the list of decisions needs; nothing while there is no student."""
    current = project.current_student
    if current is None:
        return {"waiting": [], "decisions": []}
    return {
        "waiting": [
            Waiting(
                version=each,
                sentence=waits_for(project, each, current),
                beside=encoders.beside(project, each),
            )
            for each in promoting.challengers(project, current)
        ],
        "decisions": [(each, told(each)) for each in _decisions(project)],
    }


def _decisions(project: Project) -> list[Promotion]:
    """The latest that anybody would ask about: a refit that took over is the ordinary case."""
    rows = Promotion.objects.filter(project=project).exclude(
        rule=PromotionRule.REFIT, took_over=True
    )
    return list(
        rows.exclude(rule=PromotionRule.FIRST).select_related("made_by").order_by("-id")[:SHOWN]
    )


def waits_for(project: Project, version: StudentVersion, current: StudentVersion) -> str:
    """How many answers a decision still needs, and what is known by now."""
    if project.student_pinned:
        return "Waits: the current student was chosen by hand."
    standing = promoting.standing_of(project, version, current)
    known = ""
    paired = standing.decision.paired
    if standing.tests and paired is not None:
        known = f" So far {_difference(paired.difference, paired.low, paired.high, paired.n)}."
        if standing.to_win is None:
            known += " It is not ahead."
        elif standing.to_win > standing.answers:
            known += f" If that stays so, about {standing.to_win:,} answers decide"
            known += (
                ", more than the random sample has." if standing.to_win > _most(project) else "."
            )
    missing = standing.decision.missing
    if not missing:
        return f"Will be tested with the next training.{known}"
    return f"{_when(project, missing, standing.answers, standing.tests)}{known}"


def _when(project: Project, missing: int, answers: int, tests: int) -> str:
    reach = auditing.reach(project, wanted=answers + missing)
    if reach.told:
        return f"It waits to be tested against the current student. {reach.told}"
    most = _most(project)
    if answers + missing > most:
        return (
            f"A test needs {missing:,} more evaluation answers, and the random sample has "
            f"{max(most - answers, 0):,} left: enlarge it in the settings, or promote by hand."
        )
    nth = "next test" if tests else "test"
    return f"Its {nth} against the current student takes {missing:,} more evaluation answers."


def _most(project: Project) -> int:
    """Evaluation answers that the random sample can have."""
    fill = measures.audit_fill(project)
    sample = next(part for part in fill if part.name == Part.EVALUATION.label)
    return max(sample.wanted, sample.drawn)


def told(made: Promotion) -> str:
    """One decision in a sentence."""
    if made.rule == PromotionRule.FIRST:
        return "took over as the first student"
    if made.rule == PromotionRule.HAND:
        return f"chosen by {made.made_by or 'a person'}"
    if made.rule == PromotionRule.BACK:
        return f"gone back to by {made.made_by or 'a person'}"
    found = made.figures
    difference = _difference(
        found["difference"], found["low"], found["high"], found["n"], of=made.against
    )
    if made.rule == PromotionRule.REFIT and made.took_over:
        measured = f": {difference}" if found["n"] else ", as far as is known"
        return f"took over with more labels, not being surely worse{measured}"
    if made.rule == PromotionRule.REFIT:
        return f"stayed out, being surely worse: {difference}"
    outcome = "won and took over" if made.took_over else "was tested and did not win"
    counted = (
        f"better than the other on {found['wins']:,} items, worse on {found['losses']:,}"
        if made.kind in TAGGERS
        else f"right where the other was not on {found['wins']:,}, wrong where it was right on "
        f"{found['losses']:,}"
    )
    return (
        f"{outcome}: {counted}; {difference}; chance alone does that in "
        f"{share(found['p_better'])} of cases, {share(found['alpha'])} is allowed"
    )


def _difference(gap: float, low: float, high: float, n: int, of: int | None = None) -> str:
    against = "" if of is None else f" than student {of}"
    word = "better" if gap >= 0 else "worse"
    return f"{abs(gap) * 100:.1f} points {word}{against} ({between(low, high)}) on {n:,} items"


def between(low: float, high: float) -> str:
    """An interval of a difference in points; with signs only where it has both."""
    if low * high > 0:
        near, far = sorted((abs(low), abs(high)))
        return f"{near * 100:.1f} to {far * 100:.1f}"
    return f"\N{MINUS SIGN}{abs(low) * 100:.1f} to +{abs(high) * 100:.1f}"


def share(p: float) -> str:
    """How often chance does a thing."""
    if p < 0.001:
        return "less than 0.1 %"
    return f"{p * 100:.0f} %" if p >= 0.0995 else f"{p * 100:.2g} %"
