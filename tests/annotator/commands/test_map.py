"""`manage.py map`: draws where nothing is drawn, and prints the regions."""

import json

import pytest
from django.core.management import CommandError, call_command

from annotator.models import Job
from tests.annotator.actions.test_mapping import spread
from tests.annotator.web.helpers import encode
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


def regions(capsys, project, **options):
    call_command("map", str(project.pk), **options)
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_it_draws_once_and_tells_the_regions(cast, capsys):
    project = make_project(cast)
    make_items(project, [f"parcel {n}" for n in range(40)])
    encode(project, spread(range(40)))
    first = regions(capsys, project)
    assert sum(region["items"] for region in first) == 40
    assert regions(capsys, project) == first
    assert Job.objects.filter(kind="map").count() == 1
    anew = regions(capsys, project, again=True)
    assert anew[0]["area"] != first[0]["area"]


def test_without_vectors_it_says_so(cast):
    with pytest.raises(CommandError, match="No item is encoded yet"):
        call_command("map", str(make_project(cast).pk))
