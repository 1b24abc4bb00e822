"""Forms that are written to on plain pages: an own answer is changed, a reviewer decides, lists tell the texts."""

import pytest
from django.urls import reverse

from annotator.actions.desk import assigning, labeling
from annotator.actions.projects import form_questions, projects
from annotator.actions.verdicts import settling
from annotator.models import (
    Annotation,
    Assignment,
    FormQuestion,
    Item,
    Project,
    Verdict,
    VerdictState,
)
from tests.annotator.written import KETTLE, give, labelled, several, written_project
from tests.factories import make_items

pytestmark = pytest.mark.django_db


HOSTILE = "\n<script>alert(1)</script> & “it”"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; “it”"
UUID = "5f0c0a52-2f5c-4d0c-9d0e-3f1b1c6e7a10"


@pytest.fixture
def project(cast):
    return written_project(cast)


@pytest.fixture
def told(project, cast):
    """An item whose answer by Ana is a complaint, with a reason that would be a script."""
    make_items(project, [KETTLE])
    give(project, cast.ana, "yes", {"why": HOSTILE})
    settling.settle_now(project)
    return project


def test_an_own_answer_is_shown_as_data_and_changed_question_by_question(client, told, cast):
    client.force_login(cast.ana)
    page = client.get(reverse("label_mine", args=[told.pk])).text
    assert "Why:" in page
    assert SHOWN in page
    assert "<script>alert" not in page
    address = reverse("label_change", args=[told.pk, Annotation.objects.get().uuid])
    page = client.get(address).text
    assert f'dir="auto">\n\n{SHOWN}</textarea>' in page, "a line break at the beginning stays"
    assert "add-words.js" not in page
    form = {"uuid": UUID, "labels:complaint": labelled(told, "yes")[0], "text:why": ""}
    refused = client.post(address, form)
    assert refused.status_code == 422
    assert "Still to be written: Why" in refused.text
    assert client.post(address, form | {"text:why": "It\r\nleaks"}).status_code == 302
    fresh = Annotation.objects.get(successor=None)
    assert fresh.value == {"texts": {"why": {"text": "It\nleaks"}}}


def test_an_answer_that_names_and_writes_nothing_is_told_as_such(client, project, cast):
    projects.change_project(project, audit_share=0)
    asked = FormQuestion.objects.get(project=project, name="Complaint")
    form_questions.change_question(asked, kind="multi")
    make_items(project, [KETTLE])
    (lease,) = assigning.lease(project, assigning.voice_of(project, cast.ana), 1)
    labeling.submit(
        project, lease.annotator, uuid=UUID, assignment_id=lease.pk, labels=[], value=None
    )
    client.force_login(cast.ana)
    page = client.get(reverse("label_mine", args=[project.pk])).text
    assert "none of them" in page
    assert "nothing marked" not in page


def test_lists_and_the_item_tell_what_was_written(client, told, cast):
    client.force_login(cast.lea)
    for address in (
        reverse("explore", args=[told.pk]),
        reverse("item", args=[told.pk, Item.objects.get(project=told).number]),
    ):
        page = client.get(address).text
        assert SHOWN in page
        assert "<script>alert" not in page


def test_a_reviewer_sees_each_text_and_keeps_or_writes_one(client, project, cast):
    project = several(project, cast)
    make_items(project, [KETTLE])
    give(project, cast.ana, "yes", {"why": "It leaks"})
    give(project, cast.lea, "yes", {"why": "Too loud and dear"})
    settling.settle_now(project)
    item = Item.objects.get(project=project)
    client.force_login(cast.ben)
    address = reverse("review_item", args=[project.pk, item.number])
    first = client.get(address).text
    assert "It leaks" not in first, "the own word comes first"
    page = client.get(address, {"guess:complaint": labelled(project, "yes")[0]}).text
    assert 'data-into="text-why" value="Too loud and dear"' in page
    assert "Keep Complaint" not in page
    settle = reverse("review_settle", args=[project.pk, item.number])
    form = {"uuid": UUID, "parts": "1", "labels:complaint": labelled(project, "yes")[0]}
    assert client.post(settle, form | {"text:why": "It leaks."}).status_code == 302
    settling.settle_now(project)
    verdict = Verdict.objects.get(project=project)
    assert verdict.state == VerdictState.DECIDED
    assert verdict.value == {"texts": {"why": {"text": "It leaks."}}}
    keep = {
        "uuid": UUID.replace("a10", "a11"),
        "parts": "1",
        "outcome": "keep",
        "question": labelled(project, "yes")[0],
        "had:why": "It leaks.",
        "text:why": "Typed, and then kept as it is",
    }
    assert client.post(settle, keep).status_code == 302
    assert Annotation.objects.get(uuid=keep["uuid"]).outcome == "keep"
    stale = keep | {"uuid": UUID.replace("a10", "a12"), "had:why": "Something else"}
    assert client.post(settle, stale).status_code == 409


def test_a_question_that_takes_a_text_is_made_and_changed_on_its_page(client, cast):
    made = projects.create_project(cast.lea, "Pairs", task_type="form", item_kind="pair")
    client.force_login(cast.lea)
    address = reverse("form_questions", args=[made.pk])
    form = {"name": "Better", "kind": "text", "optional": "1", "edits": "1", "answers": ""}
    assert client.post(address, form).status_code == 302
    asked = FormQuestion.objects.get(project=made)
    assert (asked.kind, asked.optional, asked.edits) == ("text", True, True)
    page = client.get(address).text
    assert "A text that is written, beginning with the second one, or nothing" in page
    assert "it is not asked" not in page
    change = reverse("form_question_change", args=[made.pk, asked.pk])
    client.post(change, {"name": "Better", "kind": "text"})
    asked.refresh_from_db()
    assert (asked.optional, asked.edits) == (False, False)
    refused = client.post(address, form | {"name": "Other", "answers": "yes"})
    assert refused.status_code == 422
    assert "has no answers to choose" in refused.text


def test_a_form_of_texts_alone_can_be_answered(client, cast):
    made = projects.create_project(cast.lea, "Notes", task_type="form", audit_share=0)
    form_questions.add_question(made, "Note", kind="text")
    made = Project.objects.get(pk=made.pk)
    make_items(made, 1)
    client.force_login(cast.lea)
    page = client.get(reverse("label", args=[made.pk])).text
    assert "No labels yet" not in page
    assert 'id="writing-text"' in page
    said = labeling.submit(
        made,
        assigning.voice_of(made, cast.lea),
        uuid=UUID,
        assignment_id=Assignment.objects.get(project=made).pk,
        value={"texts": {"note": "x"}},
    )
    settling.settle_now(made)
    assert (
        Verdict.objects.get(project=made).value == said.value == {"texts": {"note": {"text": "x"}}}
    )
    assert "Note:" in client.get(reverse("explore", args=[made.pk])).text
