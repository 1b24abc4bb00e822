"""Compare encoders on a project's labels, and use the best."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.encoders import bakeoffs, switching
from annotator.management.base import Command as Base
from annotator.management.base import project_named
from annotator.management.working import work_off
from annotator.models import BakeOff, Project


class Command(Base):
    help = "Compare encoders on a project's own labels, best first, one JSON line each."
    example = """
Examples:
  manage.py bake_off 1
  manage.py bake_off 1 --model intfloat/e5-small-v2@ffb93f3bd4047442299a41ebb6fa998a38507c52
  manage.py bake_off 1 --use

Compares what is installed: built in, and the folders in models/ of the data folder. --use changes to
the best one if it is clearly better than the one in use: every item is encoded anew, and the present
encoder serves until then.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="number or name")
        parser.add_argument(
            "--model", action="append", default=[], help="of a hub too: owner/name@commit"
        )
        parser.add_argument("--use", action="store_true", help="change to the best one")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        candidates = bakeoffs.installed(project)
        candidates += [_of_hub(project, each) for each in options["model"]]
        made = bakeoffs.create(project, candidates)
        if made.job is None:
            raise CommandError("The comparison has no job.")
        work_off(made.job, self.note)
        made = BakeOff.objects.select_related("project").get(pk=made.pk)
        found = bakeoffs.standings(made)
        for each in found:
            self.say(json.dumps(_told(each), ensure_ascii=False))
        self.note(bakeoffs.in_words(found))
        own = next(each for each in found if each.in_use)
        if not options["use"]:
            return
        if own.place is None or not own.place.clearly_behind:
            self.note("Nothing is clearly better than the encoder in use; it stays.")
            return
        best = found[0].candidate
        work_off(switching.start(project, best.encoder, best.params), self.note)
        self.note(f"“{best.label}” encodes from now on.")


def _of_hub(project: Project, text: str) -> bakeoffs.Candidate:
    name, _, revision = text.partition("@")
    params = {"name": name, "revision": revision}
    return bakeoffs.candidate("sentence-transformers", params)


def _told(each: bakeoffs.Standing) -> dict[str, Any]:
    told: dict[str, Any] = {"encoder": each.candidate.label, "in_use": each.in_use}
    if each.place is None:
        return told | {"error": each.error or "not measured"}
    score, behind = each.place.score, each.place.behind
    return told | {
        "quality": round(score.value, 4),
        "low": score.low,
        "high": score.high,
        "behind": round(behind.value, 4),
        "clearly_behind": each.place.clearly_behind,
        "seconds_per_1000": each.seconds,
        "dimensions": each.dimensions,
    }
