"""What the curve of routing says, what its chosen point foretold, and what came of it, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from django.utils.dateformat import format as date_format

from annotator.actions.routing import overview, promises
from annotator.models import PolicyChange, Project
from annotator.templatetags.concord import amount, percent, thousands
from annotator.templatetags.screens import money as priced


def basis(project: Project, seen: overview.Overview, *, looped: bool) -> str:
    """From what the curve is told, and what it leaves out."""
    curve = seen.curve
    told = (
        f"From {amount(curve['seed'], 'item,items')} that both answered, each judged by a router that had not seen it. "
        "People count as right; a word of the teacher that is less likely right than "
        f"{percent(curve['confidence'])}, the policy's confidence, decides nothing, and its item stays undecided, "
        "as those do on which it has no answer."
    )
    if project.task.quoted:
        return f"{told} An item is right when every mark is and none is missing."
    if looped:
        return (
            f"{told} With the student: the right ones of all items, were the opinion of student and teacher taken "
            "for what people do not label; it is no verdict of anything."
        )
    return (
        f"{told} What the student learns from people's labels comes on top; it is foretold from 60 drawn items on "
        "that a person labelled."
    )


def to_come(seen: overview.Overview, *, passed: bool) -> str:
    """What the columns of hours and money count."""
    told = (
        "Beside each figure stands its 95\u202f% interval. Hours and money are those still to come: of people until "
        "that share of all items is theirs, of the teacher for what it is yet to be asked"
    )
    if not seen.policy.hour_price:
        told += "; what an hour of a person costs is not set, so money is the teacher's alone"
    told += "."
    if passed:
        done = amount(seen.answered, "item,items")
        told += f" People have answered {done} already: smaller shares are passed."
    return told


def outcome(found: Mapping[str, Any]) -> str:
    """The quality that was foretold of what is decided, beside what checks found."""
    checks = amount(found["found"]["n"], "check,checks")
    return (
        f"Foretold for the chosen point, of what is decided: {_interval(found['foretold'])}. By {checks} of its words "
        f"so far, at that share of people: {_interval(found['found'])}. {_agreement(found)}"
    )


def outcome_icon(found: Mapping[str, Any]) -> str:
    """The sign beside that sentence; none while nothing can be told."""
    if found["kept"] or found["better"]:
        return "check"
    return "" if found["kept"] is None else "warn"


def _agreement(found: Mapping[str, Any]) -> str:
    if found["kept"]:
        return "That agrees."
    if found["kept"] is None:
        return (
            f"Whether that agrees cannot be told yet: {promises.FEWEST_CHECKS} checks are needed."
        )
    if found["better"]:
        return "That is better than foretold."
    return "That is not what was foretold: choose again."


def since_chosen(
    seen: overview.Overview,
    choice: PolicyChange,
    *,
    hours: float,
    money: float | None,
    answered: float,
) -> str:
    """What the chosen point was to cost and to leave undecided, beside what it did; answered: people's share."""
    said, day = choice.foretold, date_format(timezone.localtime(choice.changed_at), "j M Y")
    people = f"{said['hours']:.1f} hours of people and " if seen.curve["person_seconds"] else ""
    told = [
        f"When the point was chosen, on {day}, it was to take {people}{priced(said['money'])} from then on, until "
        f"people label {percent(said['share'])}. Since then: {hours:.1f} hours and {priced(money)}; people have "
        f"answered {percent(answered)}."
    ]
    if (words := seen.undecided_words) is not None:
        told.append(
            f"Of the teacher's words {_interval(words['foretold'])} were to decide nothing; of {thousands(words['n'])} "
            f"so far it is {percent(words['found'])}."
        )
    if (loop := seen.loop_outcome) is not None:
        missed = "" if loop["kept"] else ", which is not what was foretold"
        told.append(
            f"Student and teacher together were to be right on {_interval(loop['foretold'])} once people had labelled "
            f"{percent(loop['share'])}; they are on {_interval(loop['found'])}{missed}."
        )
    return " ".join(told)


def _interval(share: Mapping[str, float]) -> str:
    return f"{percent(share['value'])} ({percent(share['low'])} – {percent(share['high'])})"
