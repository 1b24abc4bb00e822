"""Forms: questions asked one after another by keys, some only after certain answers."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from annotator.actions.desk import assigning
from annotator.actions.projects import form_questions, projects
from annotator.actions.verdicts import settling
from annotator.models import Annotation, Project
from tests.browser.pages import LabelPage, ask_questions
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(visit, cast):
    made = projects.create_project(cast.lea, "Calls", task_type="form", audit_share=0)
    make_items(made, 6)
    return made


def labels_of(project):
    return dict(project.labels.values_list("name", "pk"))


def build(page, url, project):
    """Make the form on its own page: is it urgent; why, only if it is; and how bad the fire is."""
    questions = (
        ("Urgent", "one answer", "yes\nno", None),
        ("Why", "any number of answers", "fire\nwater: a leak", "yes"),
        ("How bad", "one grade, the lowest first", "1\n2\n3", "fire"),
    )
    ask_questions(page, url, project, questions)
    expect(page.get_by_text("only if Why is fire")).to_be_visible()


def test_a_form_with_a_condition_is_made_and_answered_by_keys(visit, cast, project, live_server):
    page = visit(cast.lea).new_page()
    build(page, live_server.url, project)
    label = LabelPage(page, project).open()
    asked, rows = page.locator("#form-asked"), page.locator("#rows .answer:visible .name")
    first = label.item
    expect(asked).to_have_text("Urgent")
    label.press("1")
    expect(asked).to_have_text("Why")
    assert rows.all_inner_texts() == ["fire", "water"]
    label.press("1", "2", "Enter")
    expect(asked).to_have_text("How bad")
    label.press("Backspace")
    expect(asked).to_have_text("Why")
    label.press("Enter", "3")
    expect(page.locator("[data-undo-word]")).to_have_text("undo yes, fire, water, 3")
    expect(asked).to_have_text("Urgent")
    second = label.item
    label.press("2")  # not urgent: nothing more is asked
    third = label.item
    label.press("1", "Enter", "Enter")  # urgent, and none of the reasons
    label.settled()
    known = labels_of(Project.objects.get(pk=project.pk))
    said = {one.item_id: set(one.labels) for one in Annotation.objects.filter(successor=None)}
    wanted = ("Urgent > yes", "Why > fire", "Why > water", "How bad > 3")
    assert said[first] == {known[name] for name in wanted}
    assert said[second] == {known["Urgent > no"]}
    assert said[third] == {known["Urgent > yes"]}
    label.press("Backspace")
    expect(page.locator("#said")).to_have_text("Taken back: yes.")
    expect(asked).to_have_text("Why")
    page.locator("#form-trail [data-step='0']").click()
    label.press("2")
    label.settled()
    assert Annotation.objects.standing().get(item_id=third).labels == [known["Urgent > no"]]


def test_a_question_with_many_answers_shows_them_from_the_first(visit, cast, project):
    names = [f"reason {number}" for number in range(1, 13)]
    form_questions.add_question(project, "Why", labels=[(name, "") for name in names])
    page = visit(cast.lea).new_page()
    label = LabelPage(page, project).open()
    assert page.locator("#rows .answer:visible .name").all_inner_texts() == names[:10]
    first = label.item
    label.press("1")
    label.settled()
    said = Annotation.objects.get(item_id=first).labels
    assert said == [labels_of(project)["Why > reason 1"]]


def test_a_form_is_reviewed_by_digits(visit, cast, project, live_server):
    page = visit(cast.lea).new_page()
    build(page, live_server.url, project)
    known, item = labels_of(project), project.items.first()
    for user, names in ((cast.lea, ("Urgent > no",)), (cast.ana, ("Urgent > yes", "Why > fire"))):
        voice = assigning.voice_of(project, user)
        said = [known[name] for name in names]
        Annotation.objects.create(
            uuid=uuid4(), project=project, item=item, annotator=voice, labels=said, stream="active"
        )
    settling.settle_now(project)
    page.goto(f"{live_server.url}/projects/{project.pk}/review/{item.number}")
    asked = page.locator("[data-asks].now legend")
    expect(asked).to_have_text("Urgent")
    page.keyboard.press("1")
    expect(asked).to_have_text("Why")
    page.keyboard.press("1")
    page.keyboard.press("2")
    expect(asked).to_have_text("Why")
    page.keyboard.press("Enter")  # how bad is not answered yet
    expect(asked).to_have_text("How bad")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your word is final")).to_be_visible()
    expect(asked).to_have_text("Urgent")
    page.keyboard.press("2")
    expect(page.locator("[data-asks]:visible legend")).to_have_text(["Urgent"])
    page.keyboard.press("Enter")
    expect(page.get_by_text("Take back")).to_be_visible()
    assert Annotation.objects.get(stream="review").labels == [known["Urgent > no"]]
