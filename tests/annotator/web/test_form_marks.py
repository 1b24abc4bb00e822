"""Forms that mark the text on plain pages: an own answer is changed, a reviewer decides, lists tell both."""

import pytest
from django.urls import reverse

from annotator.actions.projects import projects
from annotator.actions.verdicts import settling
from annotator.models import Annotation, Item, Project, Verdict
from tests.annotator.actions import test_form_marks as acts
from tests.factories import make_items

pytestmark = pytest.mark.django_db
project = acts.project
KETTLE, PLACES = acts.KETTLE, acts.PLACES


@pytest.fixture
def told(project, cast):
    """An item whose answer by Ana is a complaint about the kettle that leaks."""
    make_items(project, [KETTLE])
    acts.give(project, cast.ana, "yes", *PLACES)
    settling.settle_now(project)
    return project


def keys(project, *places):
    known = acts.ids(project)
    return [f"{start}-{end}-{known[f'Where > {name}']}" for start, end, name in places]


def test_an_own_answer_is_changed_question_by_question(client, told, cast):
    client.force_login(cast.ana)
    page = client.get(reverse("label_mine", args=[told.pk])).text
    assert "Complaint &gt; yes" in page
    assert "kettle</q> Where &gt; product" in page
    said = Annotation.objects.get()
    address = reverse("label_change", args=[told.pk, said.uuid])
    page = client.get(address).text
    assert 'value="4-10-' in page
    assert "marked in the text" in page
    form = {
        "uuid": "5f0c0a52-2f5c-4d0c-9d0e-3f1b1c6e7a10",
        "labels:complaint": acts.ids(told)["Complaint > yes"],
        "part": keys(told, PLACES[0]),
    }
    assert client.post(address, form).status_code == 302
    assert Annotation.objects.get(successor=None).value == acts.spans(told, PLACES[0])


def test_a_reviewer_sees_both_and_decides_both(client, project, cast):
    projects.change_project(project, overlap=2)
    project = Project.objects.get(pk=project.pk)
    make_items(project, [KETTLE])
    acts.give(project, cast.ana, "yes", *PLACES)
    acts.give(project, cast.lea, "yes", (0, 3, "product"))
    settling.settle_now(project)
    item = Item.objects.get(project=project)
    client.force_login(cast.ben)
    address = reverse("review_item", args=[project.pk, item.number])
    first = client.get(address).text
    assert "labels:complaint" not in first, "the own word first"
    assert "marked in the text" not in first
    yes = acts.ids(project)["Complaint > yes"]
    page = client.get(address, {"guess:complaint": yes}).text
    for key in keys(project, *PLACES, (0, 3, "product")):
        assert f'name="part" value="{key}"' in page
    assert "add-words" in page
    form = {
        "uuid": "5f0c0a52-2f5c-4d0c-9d0e-3f1b1c6e7a11",
        "labels:complaint": yes,
        "parts": "1",
        "part": keys(project, *PLACES),
    }
    settle = reverse("review_settle", args=[project.pk, item.number])
    assert client.post(settle, form).status_code == 302
    settling.settle_now(project)
    verdict = Verdict.objects.get(project=project)
    assert (verdict.state, verdict.value) == ("decided", acts.spans(project, *PLACES))
    page = client.get(address, {"guess:complaint": yes}).text
    had = [("question", pk) for pk in verdict.labels] + [("had", key) for key in form["part"]]
    for name, value in had:
        assert f'name="{name}" value="{value}"' in page
    kept = {
        "uuid": "5f0c0a52-2f5c-4d0c-9d0e-3f1b1c6e7a12",
        "outcome": "keep",
        "parts": "1",
        "question": verdict.labels,
        "had": form["part"],
    }
    assert client.post(settle, kept).status_code == 302
    last = Annotation.objects.filter(stream="review", successor=None).get()
    assert (last.outcome, last.value) == ("keep", verdict.value)


def test_explore_tells_labels_and_places(client, told, cast):
    client.force_login(cast.lea)
    page = client.get(reverse("explore", args=[told.pk])).text
    assert "Complaint &gt; yes" in page
    assert "leaks</q> Where &gt; problem" in page
    item = Item.objects.get(project=told)
    page = client.get(reverse("item", args=[told.pk, item.number])).text
    assert '<mark class="span' in page
