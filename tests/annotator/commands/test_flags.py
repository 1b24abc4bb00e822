"""`manage.py flags`: looks, tells the figures and lists what looks wrong."""

import json

import pytest
from django.core.management import CommandError, call_command

from tests.annotator.actions.test_flagging import WRONG, shop  # noqa: F401 - a fixture
from tests.factories import make_project

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_looks_and_lists_the_most_doubtful_labels(shop, capsys):  # noqa: F811
    call_command("flags", project=str(shop.pk), look=True, list=WRONG)
    figures, *flags = map(json.loads, capsys.readouterr().out.splitlines())
    assert (figures["settled"], figures["remaining"]) == (0, None)
    assert len(flags) == WRONG
    assert flags[0]["suggested"]
    assert flags[0]["evidence"]
    assert "kind" not in flags[0]


def test_too_few_labels_are_one_sentence(cast):
    project = make_project(cast)
    with pytest.raises(CommandError, match="not encoded yet"):
        call_command("flags", project=str(project.pk), look=True)
