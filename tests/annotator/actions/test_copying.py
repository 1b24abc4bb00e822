"""A project that is set up like another one."""

import io

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from annotator.actions.projects import copying, form_questions, projects, schema
from annotator.errors import InvalidError
from annotator.models import FormQuestion, ItemKind, Project
from learning.tasks import TASKS
from tests.annotator.web.conftest import BACKEND
from tests.factories import make_project

pytestmark = pytest.mark.django_db
SAME = ("key", "name", "description", "words", "hotkey", "colour")


def told(project):
    """Each label as people meet it, beside its branch."""
    return [
        (*[getattr(label, name) for name in SAME], label.parent and label.parent.name)
        for label in project.live_labels()
    ]


@pytest.mark.parametrize("task", [name for name in TASKS if name != "form"])
def test_labels_and_settings_of_every_task_type_are_copied(cast, task):
    kind = next(each for each in ItemKind if each in TASKS[task].item_kinds)
    source = projects.create_project(
        cast.lea, "First", task_type=task, item_kind=kind, overlap=2, guidelines="Be kind."
    )
    if TASKS[task].has_labels and not TASKS[task].begins_with:
        names = ["A > B", "A > C"] if TASKS[task].nested else ["low", "middle", "high"]
        schema.add_labels(source, [(name, "", f"about {name}", "") for name in names])
    made = copying.create_like(source, cast.lea, "Second")
    assert told(made) == told(source)
    assert (made.name, made.task_type, made.item_kind) == ("Second", task, kind)
    kept = projects.SETTINGS - {"name"}
    assert {name: getattr(made, name) for name in kept} == {
        name: getattr(source, name) for name in kept
    }


def test_archived_labels_stay_behind_and_columns_have_no_gap(cast):
    source = make_project(cast)
    schema.archive_label(source.labels.order_by("column")[0])
    made = copying.create_like(source, cast.lea, "Second")
    assert [label.name for label in made.live_labels()] == ["Delivery", "Login"]
    assert list(made.labels.order_by("column").values_list("column", flat=True)) == [0, 1]


def test_questions_keep_their_conditions_among_their_own_labels(cast):
    source = projects.create_project(cast.lea, "Form", task_type="form")
    urgent = form_questions.add_question(source, "Urgent", labels=[("yes", ""), ("no", "")])
    yes = urgent.labels.order_by("column")[0]
    form_questions.add_question(
        source, "Why", kind="multi", labels=[("money", ""), ("health", "")], only_if=[yes.pk]
    )
    made = copying.create_like(source, cast.lea, "Second")
    first, second = FormQuestion.objects.filter(project=made)
    assert (first.name, second.name, second.kind) == ("Urgent", "Why", "multi")
    assert second.only_if == [made.labels.get(name="Urgent > yes").pk]
    assert {one.form_question_id for one in made.labels.all()} == {first.pk, second.pk}


def test_answers_that_such_items_cannot_have_are_refused_and_nothing_is_made(cast):
    source = projects.create_project(
        cast.lea, "Better", task_type="preference", item_kind=ItemKind.PAIR
    )
    with pytest.raises(InvalidError, match="two texts"):
        copying.create_like(source, cast.lea, "Second", item_kind=ItemKind.IMAGE)
    assert Project.objects.count() == 1


def test_what_gold_items_are_asked_for_stays_behind_since_there_are_none(cast):
    source = make_project(cast, guidelines="Be kind.")
    Project.objects.filter(pk=source.pk).update(gold_share=0.1, entry_items=3)
    made = copying.create_like(Project.objects.get(pk=source.pk), cast.lea, "Second")
    assert (made.guidelines, made.gold_share, made.entry_items) == ("Be kind.", 0, 0)


class TestWays:
    @pytest.fixture
    def source(self, cast):
        return make_project(cast, guidelines="Be kind.")

    def test_in_the_browser_one_chooses_among_the_projects_one_manages(self, cast, client, source):
        client.force_login(cast.lea, backend=BACKEND)
        page = client.get(reverse("project_new"), {"like": source.pk}).content.decode()
        assert f'<option value="{source.pk}" selected>' in page
        file = io.BytesIO(b"text\nhello\nworld\n")
        file.name = "more.csv"
        client.post(reverse("project_new"), {"file": file, "like": source.pk})
        made = Project.objects.latest("pk")
        assert (made.name, made.guidelines) == ("More", "Be kind.")
        assert told(made) == told(source)

    def test_who_manages_nothing_is_offered_nothing_and_gets_nothing(self, cast, client, source):
        client.force_login(cast.cleo, backend=BACKEND)
        assert "Set up like" not in client.get(reverse("project_new")).content.decode()
        file = io.BytesIO(b"text\nhello\nworld\n")
        file.name = "more.csv"
        client.post(reverse("project_new"), {"file": file, "like": source.pk})
        made = Project.objects.latest("pk")
        assert (made.guidelines, made.labels.count()) == ("", 0)

    def test_from_the_shell_by_name(self, source, capsys):
        call_command("create_project", "Second", owner="lea", like=source.name)
        made = Project.objects.get(pk=int(capsys.readouterr().out))
        assert told(made) == told(source)
        with pytest.raises(CommandError, match="those of the other project"):
            call_command("create_project", "Third", owner="lea", like=source.name, overlap=2)
        with pytest.raises(CommandError, match="those of the other project"):
            call_command("create_project", "Third", owner="lea", like=source.name, task="rating")

    def test_from_the_shell_with_items_of_another_kind(self, source, capsys):
        call_command("create_project", "Second", owner="lea", like=source.name, items="image")
        made = Project.objects.get(pk=int(capsys.readouterr().out))
        assert (made.item_kind, told(made)) == ("image", told(source))
