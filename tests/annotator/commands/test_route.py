"""`manage.py route`: the policy told and changed, as one line."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from annotator.models import PolicyChange
from tests.annotator.routed import Routed

pytestmark = pytest.mark.django_db


def route(project, *words):
    out = io.StringIO()
    call_command("route", "--project", str(project.pk), *map(str, words), stdout=out)
    return json.loads(out.getvalue())


class TestRoute:
    def test_it_tells_and_changes_the_policy(self, cast):
        made = Routed(cast)
        made.label_seed()
        told = route(made.project)
        assert (told["policy"]["enabled"], told["policy"]["teacher"]) == (False, "Names")
        assert (told["seed"], told["for_people"], told["decided"]) == (60, 0, 0)
        told = route(made.project, "--on", "--confidence", 0.95, "--teacher", "Names")
        assert told["policy"]["enabled"] is True
        assert told["policy"]["confidence"] == 0.95
        made.route()
        told = route(made.project, "--point", 0.4)
        assert told["policy"]["human_share"] == 0.4
        assert PolicyChange.objects.latest("pk").foretold["quality"]["value"] > 0.5
        assert route(made.project, "--stop")["policy"]["enabled"] is False
        made.teacher.refresh_from_db()
        assert not made.teacher.enabled

    def test_refusals_are_one_sentence(self, cast):
        made = Routed(cast)
        for words, refusal in (
            (("--point", 0.4), "no curve"),
            (("--human-share", 3), "Choose 0 to 1"),
            (("--resume",), "policy is off"),
            (("--teacher", "Nobody"), "no teacher"),
        ):
            with pytest.raises(CommandError, match=refusal):
                route(made.project, *words)
