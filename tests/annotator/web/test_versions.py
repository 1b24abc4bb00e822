"""A version's page, two versions side by side, deletion, evidence words."""

import json

import numpy as np
import pytest

from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.students import leaving, promoting, sheets, teaching
from annotator.models import (
    AuditSheet,
    Item,
    Part,
    PredictedFile,
    Project,
    Promotion,
    StudentVersion,
)
from learning.students.predictions import write_predictions
from tests.annotator.audited import (
    answer_all,
    audited_project,
    grown,
    predictions,
    running,
    version,
)
from tests.annotator.web.helpers import Word, teach
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


def url(project, rest):
    return f"/projects/{project.pk}/students/{rest}"


def with_files(project, truth, number, wrong, trained_on=200):
    """A version with its files and its sheet, wrong about the first drawn items."""
    order = Item.objects.filter(project=project).order_by("order_key")
    said = truth.copy()
    for place in order.values_list("number", flat=True)[:wrong]:
        said[place] = (said[place] + 1) % 3
    made = version(project, number, trained_on)
    found = predictions(said)
    folder = encoding.students_folder(project.pk) / made.folder
    write_predictions(
        folder / "pool", Word(found.probabilities, multi_label=False), np.zeros((300, 4))
    )
    (folder / "manifest.json").write_text("{}")
    sheets.write(running(project, "train"), made, found, [])
    return made


def test_a_version_shows_everything_that_was_measured_with_its_intervals(lea, cast):
    project, truth, _ = audited_project(cast)
    grown(project, truth)
    made = with_files(project, truth, 10, 12)
    StudentVersion.objects.filter(pk=made.pk).update(by_epoch=[0.5, 0.9])
    page = lea.get(url(project, made.number))
    text = page.content.decode()
    assert page.context["accuracy"].value == pytest.approx(0.88)
    assert "88\u202f%" in text
    rows = page.context["rows"].first
    assert {row.name for row in rows} == {"Billing", "Delivery", "Login"}
    assert all(row.f1.low < row.f1.value < row.f1.high for row in rows)
    cells = page.context["confusions"]["table"]["rows"]
    assert sum(cell["count"] for row in cells for cell in row["cells"]) == 100
    assert sum(c["count"] for row in cells for c in row["cells"] if not c["right"]) == 12
    assert page.context["reliability"].right.n == 100
    assert len(page.context["learning"].series[0].points) == 10
    assert [point.y for point in page.context["training"].series[0].points] == [0.5, 0.9]
    assert "not given" in text, "the head's strength"
    assert "Its test" not in text, "the same recipe as the serving one needs none"


def test_one_trained_before_there_were_enough_answers_has_the_figure_of_now_wherever_it_is_shown(
    lea, cast
):
    project, truth, _ = audited_project(cast)
    made = with_files(project, truth, 1, 12)
    promoting.promote(project, made)
    early = "out of fold (cross-validated) on 40 chosen items, no random sample"
    assert made.accuracy is None
    for address in ("students", "students/1", "students/compare?number=1&number=2"):
        with_files(project, truth, 2, 30) if "compare" in address else None
        text = lea.get(f"/projects/{project.pk}/{address}").content.decode()
        assert "88\u202f%" in text, address
    listed = lea.get(f"/projects/{project.pk}/students").content.decode()
    assert listed.count("random sample of 100") == 3, "the card and both rows"
    assert "too early to say" not in listed
    card = dict(leaving.members(made))[f"{leaving.package_of(made)}/README.md"].decode()
    assert "**88.0%** (95 % interval 80.2% to 93.0%, Wilson) on 100 items drawn at random" in card
    AuditSheet.objects.all().delete()
    StudentVersion.objects.update(
        accuracy=0.67,
        accuracy_low=0.64,
        accuracy_high=0.7,
        estimate="out-of-fold",
        evaluated_on=40,
        metrics={"macro_f1": 0.5},
    )
    assert lea.get(f"/projects/{project.pk}/students").content.decode().count(early) == 3
    made.refresh_from_db()
    card = dict(leaving.members(made))[f"{leaving.package_of(made)}/README.md"].decode()
    assert "did not learn from it (out of fold)" in card
    assert "When it was trained, on 40 items out of fold, no random sample:\n\n- macro_f1" in card


def test_the_list_asks_the_database_no_more_for_more_versions(
    lea, cast, django_assert_max_num_queries
):
    project, truth, _ = audited_project(cast)
    for number in range(1, 13):
        with_files(project, truth, number, number)
    with django_assert_max_num_queries(14):
        text = lea.get(f"/projects/{project.pk}/students").content.decode()
    assert text.count("random sample of 100") == 12


def test_a_model_of_the_data_folder_is_named_without_its_path(lea, project):
    params = {"model": "/srv/data/models/tiny", "epochs": 3}
    StudentVersion.objects.create(
        project=project, number=1, kind="finetune", state="ready", params=params
    )
    shown = lea.get(url(project, 1)).content.decode()
    assert "<dd>tiny" in shown
    assert "/srv" not in shown


def test_a_recipe_tells_what_the_fit_chose(lea, cast):
    project, truth, _ = audited_project(cast)
    made = with_files(project, truth, 1, 12)
    manifest = encoding.students_folder(project.pk) / made.folder / "manifest.json"
    choice = {"strength": 30.0, "scale": 10.0, "cut": 0.18164, "cost": 0.4}
    manifest.write_text(json.dumps({"student": "head", "choice": choice, "own": None}))
    told = {
        name: (value, whose) for name, value, whose in lea.get(url(project, 1)).context["params"]
    }
    assert told["strength"] == ("30", "chosen by the fit")
    assert told["prior scale"] == ("10", "chosen by the fit")
    assert told["cut"] == ("0.1816", "chosen by the fit")
    assert told["own"] == ("not given", "")
    manifest.write_text(json.dumps({"choices": [choice, None, {**choice, "strength": 3.0}]}))
    params = lea.get(url(project, 1)).context["params"]
    assert ("strength", "30, 3", "chosen by the fit") in params, "each question's own"
    StudentVersion.objects.filter(pk=made.pk).update(kind="label-attention")
    manifest.write_text(json.dumps({"student": "label-attention", "focus": 0.0}))
    params = lea.get(url(project, 1)).context["params"]
    assert ("focus", "0", "chosen by the fit") in params


def test_a_version_that_few_answers_tell_of_says_what_is_missing(lea, project):
    made = StudentVersion.objects.create(project=project, number=1, kind="head", state="ready")
    text = lea.get(url(project, made.number)).content.decode()
    assert "50 more evaluation answers" in text
    assert "Delete this student" in text


def test_the_first_version_tells_how_it_came_to_serve(lea, cast):
    project, truth, _ = audited_project(cast)
    one, other = with_files(project, truth, 1, 30), with_files(project, truth, 2, 4)
    assert promoting.decide(project, one).rule == "first"
    assert promoting.decide(project, other).took_over
    assert "Student 1 took over as the first student." in lea.get(url(project, 1)).content.decode()
    text = lea.get(url(project, 2)).content.decode()
    assert "Student 2 took over with more labels, not being surely worse: 26.0 points" in text


def test_two_versions_are_tested_on_the_same_items_and_their_differences_listed(lea, cast):
    project, truth, order = audited_project(cast)
    one, other = with_files(project, truth, 1, 30), with_files(project, truth, 2, 4)
    page = lea.get(url(project, "compare?number=1&number=2"))
    text = page.content.decode()
    assert "student 1 is better on 0 and student 2 on 26" in text
    assert "Student 2 is better by 26.0 points" in text
    judged = page.context["judged"]
    assert {row["item"].number for row in judged} == set(order[4:24])
    assert "20 of 26" in text
    assert all(row["other_right"] and not row["one_right"] for row in judged)
    assert page.context["found"].pool_count == 26
    assert page.context["pool"] == [], "they differ on drawn items only, which are answered blind"
    for made in (one, other):
        StudentVersion.objects.filter(pk=made.pk).update(folder="")
    assert (
        b"was removed to save space" in lea.get(url(project, "compare?number=1&number=2")).content
    )


def test_a_version_is_deleted_with_its_files_but_never_the_serving_one(lea, ben, cast):
    project, truth, _ = audited_project(cast)
    one, other = with_files(project, truth, 1, 30), with_files(project, truth, 2, 4)
    promoting.promote(project, one)
    assert lea.post(url(project, "1/delete")).status_code == 409
    assert ben.post(url(project, "2/delete")).status_code == 404
    folder = encoding.students_folder(project.pk) / other.folder
    Promotion.objects.create(
        project=project, version=other, number=2, kind="head", rule="challenge", took_over=False
    )
    assert lea.post(url(project, "2/delete")).status_code == 302
    assert not StudentVersion.objects.filter(number=2).exists()
    assert Promotion.objects.get(rule="challenge").number == 2
    project.refresh_from_db()
    assert project.student_number == 2, "the number is not given again"
    assert folder.is_dir(), "the test's own transaction is still open"


def test_a_version_that_is_to_label_a_file_is_not_deleted_before(lea, cast):
    project, truth, _ = audited_project(cast)
    with_files(project, truth, 1, 30)
    asked = PredictedFile.objects.create(
        project=project, student=StudentVersion.objects.get(number=1), file_name="tickets.csv"
    )
    refused = lea.post(url(project, "1/delete"))
    assert refused.status_code == 409
    assert "is to label the file “tickets.csv”" in refused.content.decode()
    PredictedFile.objects.filter(pk=asked.pk).update(state="done")
    assert lea.post(url(project, "1/delete")).status_code == 302
    assert not StudentVersion.objects.filter(number=1).exists()


def test_words_that_pushed_the_label_are_marked_and_texts_are_data(lea, project, monkeypatch):
    teach(project, [[0.2, 0.7, 0.1]] * project.item_count)

    def predict(texts, **_):
        """Sure of Delivery where it reads of a parcel, less where it reads of money."""
        rows = [0.3 + 0.6 * ("parcel" in text) - 0.2 * ("money" in text) for text in texts]
        return np.array([[(1 - p) / 2, p, (1 - p) / 2] for p in rows], dtype=np.float32)

    monkeypatch.setattr(teaching.modelclient, "predict", predict)
    asked = {"text": "<b>where</b> is my parcel money"}
    part = lea.post(url(project, "explain"), asked, HTTP_HX_REQUEST="true")
    text = part.content.decode()
    assert "Why Delivery" in text
    assert '<mark class="for s3">parcel</mark>' in text
    assert '<mark class="against' in text
    assert "<b>" not in text
    assert "<html" in lea.post(url(project, "explain"), asked).content.decode()
    one = lea.post(url(project, "explain"), {"text": "parcel"}, HTTP_HX_REQUEST="true")
    assert b"at least two words" in one.content
    assert (
        b"Which words say so?"
        in lea.post(url(project, "try"), asked, HTTP_HX_REQUEST="true").content
    )


def test_versions_that_give_several_labels_are_shown_and_tested_by_how_many_they_share(lea, cast):
    project = make_project(cast, task_type="multi")
    items = make_items(project, 60)
    labels = list(project.labels.order_by("column").values_list("pk", flat=True))
    voice = assigning.voice_of(project, cast.ana)
    Item.objects.filter(project=project).update(part=Part.EVALUATION)
    answer_all(project, voice, items, [labels[0]] * 60)
    Project.objects.filter(pk=project.pk).update(audit_cutoff=1.0, audit_size=60)
    project.refresh_from_db()
    for number, second in ((1, 0.9), (2, 0.2)):
        made = version(project, number, 200)
        p = np.tile(np.array([0.9, second, 0.1], dtype=np.float32), (60, 1))
        folder = encoding.students_folder(project.pk) / made.folder / "pool"
        found = write_predictions(folder, Word(p, multi_label=True), np.zeros((60, 4)))
        sheets.write(running(project, "train"), made, found, [])
    page = lea.get(url(project, 1))
    assert page.context["accuracy"].value == 0
    assert "all labels right, on 60 items drawn at random" in page.content.decode()
    assert (
        "all labels right, random sample of 60"
        in lea.get(f"/projects/{project.pk}/students").content.decode()
    )
    assert page.context["confusions"]["told"] == [
        {"truth": "", "said": "Delivery", "count": 60, "of": 0}
    ]
    assert page.context["reliability"].right.n == 180, "each label's yes or no"
    assert "added" in page.content.decode()
    compared = lea.get(url(project, "compare?number=1&number=2"))
    assert compared.context["found"].paired.difference == pytest.approx(-0.5)
    assert b"student 2 on 60" in compared.content


def test_a_figure_of_items_that_also_chose_the_head_says_so(lea, cast):
    project, truth, _ = audited_project(cast)
    made = with_files(project, truth, 1, 30)
    promoting.promote(project, made, by=cast.lea)
    pages = (url(project, 1), f"/projects/{project.pk}/students")
    told = "chosen on this sample, which flatters the figure a little"
    assert not [page for page in pages if told in lea.get(page).content.decode()]
    bought = {"difference": 0.02, "low": -0.01, "high": 0.05, "n": 100}
    StudentVersion.objects.update(beside={"unanswered": {"bought": bought}})
    assert all(told in lea.get(page).content.decode() for page in pages)
