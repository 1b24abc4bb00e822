"""Answers that mark places of a text, wherever an answer is shown."""

import re
from uuid import uuid4

import pytest
from django.urls import reverse

from annotator.actions.desk import assigning, labeling
from annotator.actions.desk.assigning import voice_of
from annotator.actions.teachers import teachers
from annotator.errors import InvalidError
from annotator.models import Annotation, Outcome, Project, Verdict
from annotator.web.marks import TextPart, marked, value_of
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db
TEXT = "Ada met <b>Bob</b> in Rome."


@pytest.fixture
def project(cast):
    made = make_project(
        cast, labels=("Person", "Place"), task_type="spans", audit_share=0, overlap=2
    )
    make_items(made, [TEXT])
    return Project.objects.get(pk=made.pk)


@pytest.fixture
def ids(project):
    return dict(project.labels.values_list("name", "pk"))


def value(*found):
    return {"spans": [dict(zip(("start", "end", "label"), one, strict=True)) for one in found]}


def answered(project, user, said):
    voice = voice_of(project, user)
    (lease,) = assigning.lease(project, voice, 1)
    return labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=said)


def decided(project, said):
    return Verdict.objects.create(
        item=project.items.get(), project=project, value=said, position=1, source="consensus",
        labels=sorted({one["label"] for one in said["spans"]}), state="decided",
    )  # fmt: skip


class TestMarkedText:
    def test_places_that_overlap_are_nested_named_at_their_ends_and_escaped(self, project):
        person, place = project.labels.order_by("column")
        text = marked(TEXT, [TextPart(0, 11, person, ""), TextPart(8, 27, place, "")])
        assert text.startswith('<mark class="span own hue-0 deep-0 from">Ada met </mark>')
        assert "&lt;b" in text
        assert "<b>" not in text
        assert text.count('data-name="Person"') == text.count('data-name="Place"') == 1
        inner = '<mark class="span own hue-0 deep-0 to" data-name="Person">&lt;b&gt;</mark>'
        assert f'<mark class="span own hue-1 deep-1 from">{inner}</mark>' in text

    def test_a_redacted_text_has_no_places_left(self, project):
        assert marked("", [TextPart(0, 3, project.labels.first(), "")]) == ""


class TestScreens:
    def test_my_answers_show_what_was_marked_and_let_it_be_changed(
        self, cast, project, ids, sign_in
    ):
        said = answered(project, cast.ana, value((0, 3, ids["Place"]), (11, 14, ids["Person"])))
        ana = sign_in(cast.ana)
        page = ana.get(reverse("label_mine", args=[project.pk])).content.decode()
        assert '<q class="quote" dir="auto">Ada</q> Place' in page
        address = reverse("label_change", args=[project.pk, said.uuid])
        assert 'name="part"' in ana.get(address).content.decode()
        parts = [f"0-3-{ids['Person']}", ""]  # another label, and no span any more
        ana.post(address, {"uuid": uuid4(), "part": parts})
        latest = Annotation.objects.get(previous=said)
        assert latest.value == value((0, 3, ids["Person"]))

    def test_the_item_page_marks_the_verdict_and_lists_each_voice(self, cast, project, ids, lea):
        answered(project, cast.ana, value((0, 3, ids["Person"])))
        answered(project, cast.ben, value())
        decided(project, value((0, 3, ids["Person"])))
        page = lea.get(reverse("item", args=[project.pk, 0])).content.decode()
        assert 'data-name="Person">Ada</mark>' in page
        assert "nothing marked" in page
        rows = lea.get(reverse("explore", args=[project.pk])).content.decode()
        assert '<q class="quote" dir="auto">Ada</q> Person' in rows
        assert "Give the label" not in rows
        assert "Ask people about these" in rows

    def test_a_reviewer_decides_place_by_place(self, cast, project, ids, ben):
        answered(project, cast.ana, value((0, 3, ids["Person"]), (11, 14, ids["Place"])))
        answered(project, cast.lea, value((0, 3, ids["Person"]), (22, 26, ids["Place"])))
        address = reverse("review_item", args=[project.pk, 0])
        assert "Ada</mark>" not in ben.get(address).content.decode()  # first unseen
        page = ben.get(address, {"none": "1"}).content.decode()
        assert page.count('type="checkbox" name="part" value=') == 3
        assert page.count(" checked data-key") == 1  # what most voices marked
        chosen = [f"0-3-{ids['Person']}", f"22-26-{ids['Place']}"]
        ben.post(
            reverse("review_settle", args=[project.pk, 0]),
            {"uuid": uuid4(), "parts": "1", "part": chosen},
        )
        word = Annotation.objects.get(stream="review")
        assert word.value == value((0, 3, ids["Person"]), (22, 26, ids["Place"]))
        assert word.outcome == Outcome.DECIDE

    def test_a_long_text_stands_open_once_beside_its_voices(self, cast, project, ids, ben):
        project.items.update(text=TEXT + " And much more happened." * 20)
        answered(project, cast.ana, value((0, 3, ids["Person"])))
        page = ben.get(reverse("review_item", args=[project.pk, 0]), {"none": "1"}).content.decode()
        voices = page.partition("The voices")[2].partition("Your word is final")[0]
        opened = re.sub(r"<details>.*?</details>", "", voices, flags=re.DOTALL)
        assert '<q class="quote" dir="auto">Ada</q> Person' in opened
        assert "And much more happened." in voices
        assert "And much more happened." not in opened

    def test_keeping_a_verdict_keeps_its_value(self, cast, project, ids, ben):
        answered(project, cast.ana, value((0, 3, ids["Person"])))
        decided(project, value((0, 3, ids["Person"])))
        ben.post(
            reverse("review_settle", args=[project.pk, 0]), {"uuid": uuid4(), "outcome": "keep"}
        )
        word = Annotation.objects.get(stream="review")
        assert (word.outcome, word.value) == (Outcome.KEEP, value((0, 3, ids["Person"])))

    def test_keeping_what_was_changed_since_it_was_seen_is_refused(self, cast, project, ids, ben):
        answered(project, cast.ana, value((0, 3, ids["Person"])))
        seen = decided(project, value((0, 3, ids["Person"])))
        page = ben.get(reverse("review_item", args=[project.pk, 0]), {"none": "1"}).content.decode()
        assert f'name="had" value="0-3-{ids["Person"]}"' in page
        keep = {"uuid": uuid4(), "parts": "1", "outcome": "keep", "had": [f"0-3-{ids['Person']}"]}
        Verdict.objects.filter(pk=seen.pk).update(value=value((11, 14, ids["Person"])))
        ben.post(reverse("review_settle", args=[project.pk, 0]), keep)
        assert not Annotation.objects.filter(stream="review").exists()
        Verdict.objects.filter(pk=seen.pk).update(value=seen.value)
        ben.post(reverse("review_settle", args=[project.pk, 0]), keep)
        assert Annotation.objects.get(stream="review").value == seen.value

    def test_where_nothing_is_the_verdict_no_place_is_chosen_beforehand(
        self, cast, project, ids, ben
    ):
        answered(project, cast.ana, value((0, 3, ids["Person"])))
        decided(project, value())
        page = ben.get(reverse("review_item", args=[project.pk, 0]), {"none": "1"}).content.decode()
        assert page.count('type="checkbox" name="part" value=') == 1
        assert " checked data-key" not in page

    def test_settings_offer_only_what_fits_such_answers(self, project, lea):
        address = reverse("settings", args=[project.pk])
        page = lea.get(address).content.decode()
        for name in ("answer_sets", "gold_percent", "digit_answers", "label_questions"):
            assert f'name="{name}"' not in page
        form = lea.get(address).context["form"]
        data = {each.name: each.value() for _, group in form.groups() for each in group}
        kept = {
            name: value for name, value in data.items() if value is not None and value is not False
        }
        answer = lea.post(address, {**kept, "overlap": 3})
        assert answer.status_code == 302, answer.context["form"].errors
        project.refresh_from_db()
        assert (project.overlap, project.set_coverage) == (3, 0.9)

    def test_only_teachers_that_can_mark_are_set_up_where_answers_are_marks(self, project, lea):
        page = lea.get(reverse("teachers", args=[project.pk])).content.decode()
        assert "Set up a teacher" in page
        assert "upload answers made elsewhere" in page
        with pytest.raises(InvalidError, match="answers are more than that"):
            teachers.create_teacher(project, None, name="Zero", plugin="zero-shot")

    def test_a_form_names_places_or_is_refused(self):
        assert value_of(["0-3-7", ""], "spans") == value((0, 3, 7))
        with pytest.raises(InvalidError, match="too old"):
            value_of(["0-3"], "spans")
