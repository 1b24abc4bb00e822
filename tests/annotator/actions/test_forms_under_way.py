"""A form and a teacher that is answering it: which of the two gives way, and what is kept."""

import pytest
from django.db import connection
from django.urls import reverse

from annotator.actions.projects import form_questions
from annotator.actions.teachers import teacher_runs
from annotator.errors import ConflictError
from annotator.models import Annotation, FormQuestion, TeacherAnswer, TeacherRunKind
from tests.annotator.actions.test_form_teacher import TEXTS, filling, form_project, labels_of
from tests.annotator.actions.test_forms import add, ids
from tests.annotator.teaching import teacher_on, work_off
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(cast):
    return form_project(cast)


def test_no_question_changes_while_a_teacher_labels_and_the_cause_is_named(project, cast, client):
    with Loopback(filling(project)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=TEXTS)
        run = teacher_runs.start_run(project, teacher, None, 4)
        why = project.form_questions.get(key="why")
        for change in (
            lambda: add(project, "Mood", "good", "bad"),
            lambda: form_questions.change_question(why, only_if=[]),
            lambda: form_questions.move_question(why, up=True),
            lambda: form_questions.remove_question(why),
        ):
            with pytest.raises(
                ConflictError, match=f"Fake is answering .* run {run.pk}.*Stop that run"
            ):
                change()
        form_questions.change_question(why, name="Wherefore")
        form_questions.add_answers(why, [("wind", "")])
        client.force_login(cast.lea)
        address = reverse("form_questions", args=[project.pk])
        page = client.get(address).content.decode()
        assert f'href="{reverse("teacher_run", args=[project.pk, run.pk])}"' in page
        assert "Add a question" not in page
        teacher_runs.cancel(run)
        assert "Add a question" in client.get(address).content.decode()
        add(project, "Mood", "good", "bad")


def test_a_trial_holds_no_question_back(project, cast):
    with Loopback(filling(project)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=TEXTS)
        teacher_runs.try_on(project, teacher, None)
        add(project, "Mood", "good", "bad")


def test_a_page_that_was_open_before_says_why_it_changes_nothing(project, cast, client):
    why = project.form_questions.get(key="why")
    form = {"name": "Why", "kind": "single", "only_if": why.only_if}
    address = reverse("form_question_change", args=[project.pk, why.pk])
    client.force_login(cast.lea)
    with Loopback(filling(project)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=TEXTS)
        teacher_runs.start_run(project, teacher, None, 4)
        answer = client.post(address, form)
        assert answer.status_code == 409
        assert "is answering the form" in answer.content.decode()
        assert (
            client.post(address, {**form, "kind": "multi", "name": "Wherefore"}).status_code == 302
        )
        assert client.post(address, {"name": "Why so"}).status_code == 302
    why.refresh_from_db()
    assert (why.name, why.kind) == ("Why so", "multi")
    assert why.only_if == [ids(project)["Urgent > yes"]]


@pytest.mark.parametrize("kind", [TeacherRunKind.LABEL, TeacherRunKind.TRY])
def test_an_answer_to_a_form_of_before_is_not_entered_and_its_price_is_kept(project, cast, kind):
    water = labels_of(project, ["Why > water"])
    play = filling(project)

    def changing(request, wire):
        """Somebody changes the form past its door, while the model writes."""
        FormQuestion.objects.filter(project=project, key="how-bad").update(only_if=water)
        connection.close()
        play(request, wire)

    with Loopback(changing) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=TEXTS)
        start = teacher_runs.start_run if kind == TeacherRunKind.LABEL else teacher_runs.try_on
        run = work_off(start(project, teacher, None, 3))
    assert (run.state, run.answered) == ("failed", 0)
    assert "The questions were changed while the teacher was asked" in run.error
    assert not Annotation.objects.filter(annotator=teacher.voice).exists()
    rows = TeacherAnswer.objects.filter(run=run)
    assert rows.exists()
    assert all(row.money > 0 and row.tokens_in > 0 for row in rows)
    assert {row.abstained for row in rows} == {
        "The questions were changed while the teacher was asked, and its answers are to the old ones."
    }
    assert {(tuple(row.labels), row.value) for row in rows} == {((), None)}
    assert sum(row.money for row in rows) <= run.spent
    again = set(teacher_runs.drawn(project, teacher, 50))
    assert again >= {row.item.number for row in rows.select_related("item")}
