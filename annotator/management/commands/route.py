"""Show and change the policy by which a teacher labels beside people."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from annotator.actions.routing import overview, policies
from annotator.actions.teachers import teachers
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.models import Project

SETTINGS = ("router", "human_share", "confidence", "double_share", "seed_size", "hour_price")


class Command(Base):
    help = "Show or change who labels what: the policy, its seed, what is believed of the teacher."
    example = """
Examples:
  manage.py route --project 1
  manage.py route --project 1 --teacher GPT --seed
  manage.py route --project 1 --point 0.2
  manage.py route --project 1 --on --confidence 0.95 --double-share 0.1
  manage.py route --project 1 --off
  manage.py route --project 1 --stop

Prints one JSON line: the policy, the seed, verdicts that are the teacher's word, what checks found,
the curve. --seed draws items and asks the teacher about them; --stop switches every teacher off too.
Workers do what follows.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--project", required=True, help="number or name")
        add("--teacher", help="name or number")
        add("--router", help='a router\'s name; "" is the loop: student and teacher')
        add("--human-share", type=float, help="share of all items that people label, 0 to 1")
        add("--confidence", type=float, help="from which chance on a word is a verdict, 0.5 to 1")
        add("--double-share", type=float, help="share of the teacher's answers put to people too")
        add("--seed-size", type=int, help="items that both answer first")
        add("--hour-price", help="what an hour of a person costs")
        add("--unqualified", action="store_true", help="also without a passed test")
        add("--point", type=float, help="take this point of the curve, by the share of people")
        does = parser.add_mutually_exclusive_group()
        does.add_argument("--on", action="store_true", help="switch the policy on")
        does.add_argument("--off", action="store_true", help="switch it off: people only")
        does.add_argument("--stop", action="store_true", help="every teacher and the policy off")
        does.add_argument("--resume", action="store_true", help="ask a stopped teacher again")
        add("--seed", action="store_true", help="draw the seed and ask the teacher about it")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        _change(project, options)
        if options["point"] is not None:
            policies.choose_point(project, None, options["point"])
        if options["seed"]:
            policies.prepare(project, None)
        if options["resume"]:
            policies.resume(project)
        if options["stop"]:
            policies.stop_all(project, None)
        self.say(json.dumps(_told(project), ensure_ascii=False, default=str))


def _change(project: Project, options: dict[str, Any]) -> None:
    wished = {name: options[name] for name in SETTINGS if options[name] is not None}
    if options["teacher"]:
        wished["teacher"] = teachers.named(project, options["teacher"])
    if options["on"] or options["off"]:
        wished["enabled"] = bool(options["on"])
    if options["unqualified"]:
        wished["unqualified"] = True
    if wished:
        policies.change_policy(project, None, **wished)


def _told(project: Project) -> dict[str, Any]:
    seen = overview.overview(project)
    teacher = seen.policy.teacher
    policy = seen.policy.to_json() | {
        "teacher": None if teacher is None else teacher.name,
        "trouble": seen.policy.trouble,
    }
    return {"policy": policy, **seen.to_json()}
