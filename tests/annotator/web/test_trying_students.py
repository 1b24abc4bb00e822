"""A student is tried on a typed text, and says which words spoke."""

import json

import numpy as np
import pytest

from annotator.actions.students import teaching, training
from annotator.errors import InvalidError
from annotator.models import StudentVersion
from annotator.runtime.modelclient import ModelBusyError, ModelStartingError
from learning.encoders.apart import parted
from tests.annotator.web.helpers import teach
from tests.annotator.web.versions_made import url, version, with_files
from tests.factories import make_project

pytestmark = pytest.mark.django_db


def test_trying_shows_the_likeliest_first(lea, project, monkeypatch):
    teach(project, [[0.2, 0.7, 0.1]] * project.item_count)
    asked = []

    def predict(texts, **_):
        asked.extend(texts)
        return np.array([[0.2, 0.7, 0.1]], dtype=np.float32)

    monkeypatch.setattr(teaching.modelclient, "predict", predict)
    part = lea.post(url(project, "students/try"), {"text": "lost parcel"}, HTTP_HX_REQUEST="true")
    assert asked == ["lost parcel"]
    assert [bar.name for bar, _ in part.context["bars"]] == ["Delivery", "Billing", "Login"]
    assert b"<html" not in part.content
    assert b"<html" in lea.post(url(project, "students/try"), {"text": "lost parcel"}).content


@pytest.mark.parametrize("gone", [True, False])
def test_one_that_is_deleted_while_it_is_asked_says_so_without_naming_a_place(
    lea, project, monkeypatch, gone
):
    teach(project, [[0.2, 0.7, 0.1]] * project.item_count)

    def refuse(texts, **_):
        if gone:
            StudentVersion.objects.filter(project=project).update(folder="")
        raise InvalidError("The model could not be loaded: it is spoilt.")

    monkeypatch.setattr(teaching.modelclient, "predict", refuse)
    part = lea.post(url(project, "students/try"), {"text": "lost"}, HTTP_HX_REQUEST="true")
    told = b"was deleted, or its files were removed, just now" if gone else b"it is spoilt"
    assert told in part.content


def test_any_version_with_files_is_tried_and_says_which_words_spoke(lea, project, monkeypatch):
    teach(project, [[0.2, 0.7, 0.1]] * project.item_count)
    current = StudentVersion.objects.get(project=project)
    named = list(project.labels.order_by("column").values_list("pk", flat=True))
    older = with_files(project, 7, label_ids=named, encoding=current.encoding)
    gone = version(project, 8)
    asked = []

    def predict(texts, student, **_):
        asked.append(student)
        return np.array([[0.2, 0.7, 0.1]] * len(texts), dtype=np.float32)

    monkeypatch.setattr(teaching.modelclient, "predict", predict)
    offered = lea.get(url(project)).context["tried"]
    assert [each.number for each in offered] == [current.number, 7]
    page = lea.get(url(project, "students/7")).content.decode()
    assert "Ask student 7" in page
    assert "Ask student 8" not in lea.get(url(project, "students/8")).content.decode()
    form = {"text": "lost parcel", "number": "7"}
    part = lea.post(url(project, "students/try"), form, HTTP_HX_REQUEST="true").content.decode()
    assert "What student 7 says" in part
    assert '<input type="hidden" name="number" value="7">' in part
    lea.post(url(project, "students/explain"), form, HTTP_HX_REQUEST="true")
    assert [place.endswith(older.folder) for place in asked] == [True, True]
    form["number"] = str(gone.number)
    part = lea.post(url(project, "students/try"), form, HTTP_HX_REQUEST="true").content.decode()
    assert "its files were removed" in part
    assert lea.post(url(project, "students/try"), form | {"number": "99"}).status_code == 404


def test_of_a_pair_both_texts_are_asked_for_and_read_apart(lea, cast, monkeypatch):
    project = make_project(cast, item_kind="pair")
    asked = []
    monkeypatch.setattr(
        teaching, "predict", lambda _, texts, __: asked.extend(texts) or [teaching.Guess(labels=[])]
    )
    address = url(project, "students/try")
    lea.post(address, {"text": "one\nline more", "text_b": "the other"}, HTTP_HX_REQUEST="true")
    assert [parted(text) for text in asked] == [("one\nline more", "the other")]
    half = lea.post(address, {"text": "one", "text_b": " "}, HTTP_HX_REQUEST="true")
    assert "Type both texts" in half.content.decode()
    told = {"texts": ["one\nthe other", "one"]}
    refused = lea.post(f"/api/v1/projects/{project.pk}/predict", told, "application/json")
    assert refused.status_code == 422
    assert "text 1 (from 0) is one" in refused.json()["detail"]
    assert len(asked) == 1


def test_of_a_pair_words_are_left_out_of_one_text_at_a_time(cast, monkeypatch):
    project = make_project(cast, item_kind="pair")
    asked = []

    def predict(_, texts, __):
        asked.extend(texts)
        return [teaching.Guess(labels=[(project.labels.first().pk, 0.5)]) for _ in texts]

    monkeypatch.setattr(teaching, "predict", predict)
    said = teaching.evidence(project, teaching.pair_of("Cats", "Dogs bark"))
    assert [parted(text) for text in asked[1:]] == [
        ("", "Dogs bark"),
        ("Cats", "bark"),
        ("Cats", "Dogs"),
    ]
    words = [(words, push is None) for words, push in said.parts]
    assert words == [("Cats", False), ("\n", True), ("Dogs", False), (" ", True), ("bark", False)]


def test_figures_that_say_on_which_side_of_a_line_a_label_is_are_not_shown_as_chances(
    lea, project, monkeypatch
):
    made = with_files(project, 1)
    project.current_student = made
    project.save()
    monkeypatch.setattr(teaching, "predict", lambda *_: [teaching.Guess(labels=[])])
    manifest = training.students_folder(project.pk) / made.folder / "manifest.json"
    told = {}
    for cut in (0.5, 0.18):
        manifest.write_text(json.dumps({"student": "head", "choice": {"cut": cut}}))
        told[cut] = lea.post(url(project, "students/try"), {"text": "x"}).content.decode()
    assert "is no chance" in told[0.18]
    assert "is no chance" not in told[0.5]


def test_trying_waits_while_the_model_starts(lea, project, monkeypatch):
    teach(project, [[0.2, 0.7, 0.1]] * project.item_count)

    def predict(texts, **_):
        raise ModelStartingError("The model is starting; try again in a few seconds.")

    monkeypatch.setattr(teaching.modelclient, "predict", predict)
    response = lea.post(url(project, "students/try"), {"text": "x"}, HTTP_HX_REQUEST="true")
    assert b"The model is starting" in response.content
    assert b'hx-trigger="load delay' in response.content


def test_a_busy_model_is_asked_again_which_words_spoke(lea, project, monkeypatch):
    teach(project, [[0.2, 0.7, 0.1]] * project.item_count)

    def predict(texts, **_):
        raise ModelBusyError("The model is busy; try again in a few seconds.")

    monkeypatch.setattr(teaching.modelclient, "predict", predict)
    address, form = url(project, "students/explain"), {"text": "lost parcel"}
    part = lea.post(address, form, HTTP_HX_REQUEST="true").content.decode()
    assert "The model is busy" in part
    assert 'hx-trigger="load delay' in part
    page = lea.post(address, form).content.decode()
    assert "The model is busy" in page
    assert "by itself" not in page, "without scripts nothing asks again"


def test_trying_nothing_is_refused(lea, project):
    assert lea.post(url(project, "students/try"), {"text": "  "}).status_code == 422
    assert lea.post(url(project, "students/try"), {"text": "x"}).status_code == 409
    part = lea.post(url(project, "students/try"), {"text": "x"}, HTTP_HX_REQUEST="true")
    assert b"There is no student to ask yet" in part.content
