"""Students: versions, comparing honestly, promoting, trying, downloading."""

import json

import numpy as np
import pytest
from django.utils import timezone

from annotator.actions.projects.schema import add_labels
from annotator.actions.students import teaching, training
from annotator.models import Job, Membership, Project, Role, StudentVersion
from annotator.runtime.modelclient import ModelStartingError
from learning.encoders.apart import parted
from tests.annotator.web.helpers import teach
from tests.factories import make_project

pytestmark = pytest.mark.django_db


def url(project, rest="students"):
    return f"/projects/{project.pk}/{rest}"


def version(project, number, **fields):
    fields = {"kind": "head", "state": "ready", "trained_on": 10 * number, **fields}
    return StudentVersion.objects.create(project=project, number=number, **fields)


def with_files(project, number, **fields):
    made = version(project, number, folder=f"head-{number}", **fields)
    folder = training.students_folder(project.pk) / made.folder
    (folder / "pool").mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"student": "head", "sha256": {}}))
    (folder / "head.safetensors").write_bytes(b"\x00" * 1000)
    (folder / "pool" / "margins.bin").write_bytes(b"private")
    return made


def test_an_empty_page_teaches(lea, project):
    assert b"No student yet" in lea.get(url(project)).content


def test_versions_show_where_they_were_measured(lea, project):
    version(project, 1, accuracy=0.8, accuracy_low=0.7, accuracy_high=0.9, estimate="out-of-fold")
    version(project, 2, accuracy=0.8, accuracy_low=0.7, accuracy_high=0.9, estimate="audit")
    text = lea.get(url(project)).content.decode()
    assert "cross-validated" in text
    assert "random sample" in text


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ((0.8, 0.7, 0.88, "audit"), (0.82, 0.72, 0.9, "audit"), "may be chance"),
        ((0.6, 0.5, 0.65, "audit"), (0.9, 0.85, 0.95, "audit"), "Student 2 is better by 30.0"),
        ((0.6, 0.5, 0.65, "out-of-fold"), (0.9, 0.85, 0.95, "audit"), "not comparable"),
        ((None, None, None, ""), (0.9, 0.85, 0.95, "audit"), "cannot be compared"),
    ],
)
def test_comparing_says_no_more_than_is_known(lea, project, one, other, said):
    for number, (accuracy, low, high, estimate) in ((1, one), (2, other)):
        version(
            project,
            number,
            accuracy=accuracy,
            accuracy_low=low,
            accuracy_high=high,
            estimate=estimate,
        )
    response = lea.get(url(project, "students/compare?number=1&number=2"))
    assert said in response.content.decode()


def test_comparing_wants_two(lea, project):
    version(project, 1)
    response = lea.get(url(project, "students/compare?number=1"), follow=True)
    assert response.redirect_chain[-1][0] == url(project, "students")
    assert "Tick two students to compare them." in response.content.decode()
    assert lea.get(url(project, "students/compare?number=1&number=9")).status_code == 404


def test_a_refusal_leads_back_to_the_page_of_ours_that_it_came_from(lea, project):
    def refused(came_from):
        address = url(project, "students/compare?number=1&number=x")
        return lea.get(address, headers={"referer": came_from}).content.decode()

    ours = f"http://testserver{url(project, 'students')}"
    assert f'href="{ours}">Back</a>' in refused(ours)
    assert "Back</a>" not in refused("https://elsewhere.example/students")
    assert "Back</a>" not in refused("javascript:alert(1)")
    assert "Back</a>" not in refused(
        f"http://testserver{url(project, 'students/compare?number=1&number=x')}"
    )


def test_rolling_back_pins_and_unpinning_lets_go(lea, project):
    with_files(project, 1)
    project.current_student = with_files(project, 2)
    project.save()
    assert lea.post(url(project, "students/1/promote")).status_code == 302
    project.refresh_from_db()
    assert (project.current_student.number, project.student_pinned) == (1, True)
    with_files(project, 3)
    project.current_student = version(project, 4)
    project.save()
    listed = lea.get(url(project)).content.decode()
    assert 'Roll back<span class="visually-hidden"> to student 1<' in listed
    assert 'Promote<span class="visually-hidden"> to student 3<' in listed, "it never served"
    assert b"newer ones wait" in lea.get(url(project)).content
    lea.post(url(project, "students/unpin"))
    project.refresh_from_db()
    assert not project.student_pinned


def test_a_student_without_files_is_not_promoted(lea, project):
    version(project, 1, folder="gone")
    refused = lea.post(url(project, "students/1/promote"))
    assert refused.status_code == 409
    assert b"removed to save space" in refused.content


def test_a_download_of_removed_files_says_so(lea, project):
    version(project, 1, folder="gone")
    assert lea.get(url(project, "students/1/download")).status_code == 404


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


def test_any_student_beside_the_head_is_trained_by_hand(lea, project):
    page = lea.get(url(project)).content.decode()
    assert '<option value="finetune">' in page
    assert '<option value="contrastive">' in page
    address = url(project, "students/finetune")
    assert lea.post(address, {"kind": "nobody"}).status_code == 422
    assert lea.post(address, {"kind": "contrastive", "epochs": "2"}).status_code == 302
    job = Job.objects.get(kind="finetune", state="queued")
    assert job.params == {"kind": "contrastive", "student": {"epochs": 2}}


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


def test_no_gpu_is_no_trouble_where_one_is_trained_on_a_gpu_only(lea, project):
    row = project.recipes.create(
        kind="finetune", when="gpu", trouble="No GPU was found.", tried_at=timezone.now()
    )
    address = url(project, "students/background")
    page = lea.get(address).content.decode()
    assert "This machine had no GPU when it was looked for" in page
    assert "brought nothing" not in page
    row.trouble = "The disk is full."
    row.save()
    assert "The last run brought nothing: The disk is full." in lea.get(address).content.decode()


def test_trying_waits_while_the_model_starts(lea, project, monkeypatch):
    teach(project, [[0.2, 0.7, 0.1]] * project.item_count)

    def predict(texts, **_):
        raise ModelStartingError("The model is starting; try again in a few seconds.")

    monkeypatch.setattr(teaching.modelclient, "predict", predict)
    response = lea.post(url(project, "students/try"), {"text": "x"}, HTTP_HX_REQUEST="true")
    assert b"The model is starting" in response.content
    assert b'hx-trigger="load delay' in response.content


def test_trying_nothing_is_refused(lea, project):
    assert lea.post(url(project, "students/try"), {"text": "  "}).status_code == 422
    assert lea.post(url(project, "students/try"), {"text": "x"}).status_code == 409
    part = lea.post(url(project, "students/try"), {"text": "x"}, HTTP_HX_REQUEST="true")
    assert b"There is no student to ask yet" in part.content


def test_fine_tuning_is_a_job_with_its_parameters(lea, project):
    form = {"kind": "finetune", "epochs": "3", "model": ""}
    assert lea.post(url(project, "students/finetune"), form).status_code == 302
    job = Job.objects.get(kind="finetune")
    assert job.params == {"kind": "finetune", "student": {"epochs": 3}}
    assert lea.post(url(project, "students/finetune"), form).status_code == 409
    assert b"Training another student: Fine-tuned transformer" in lea.get(url(project)).content


def test_a_model_is_pinned_or_in_our_folder(lea, project):
    named = f"owner/name@{'a' * 40}"
    for wrong in ("/etc", "../students", "owner/name"):
        form = {"kind": "finetune", "model": wrong}
        assert lea.post(url(project, "students/finetune"), form).status_code == 422
    form = {"kind": "finetune", "model": named}
    assert lea.post(url(project, "students/finetune"), form).status_code == 302
    student = Job.objects.get(kind="finetune").params["student"]
    assert student == {"model": "owner/name", "revision": "a" * 40}


@pytest.mark.parametrize(
    ("wrong", "field", "told"),
    [
        ({"epochs": "0"}, "epochs", "epochs must be from 1 to 100, not 0."),
        ({"epochs": "1000"}, "epochs", "epochs must be from 1 to 100, not 1,000."),
        ({"epochs": "many"}, "epochs", "Enter a whole number."),
        ({"model": "no-such"}, "model", "There is no such model"),
        ({"model": "owner/name@main"}, "model", "Name the commit"),
        ({"kind": "label-attention", "epochs": "3"}, "epochs", "has no parameter 'epochs'"),
        ({"kind": "prompt", "epochs": "101"}, "epochs", "not 101"),
        ({"kind": "prompt"}, "model", "needs the name of a causal language model"),
    ],
)
def test_what_cannot_be_trained_is_told_beside_its_field_and_the_rest_is_kept(
    lea, project, wrong, field, told
):
    form = {"kind": "finetune", "model": "", "epochs": ""} | wrong
    response = lea.post(url(project, "students/finetune"), form)
    assert response.status_code == 422
    shown = response.context["form"]
    assert told in shown.errors[field][0]
    assert set(shown.errors) == {field} | ({"model"} if form["kind"] == "prompt" else set())
    assert shown["kind"].value() == form["kind"]
    assert not Job.objects.filter(kind="finetune").exists()


def test_everything_wrong_in_the_background_is_told_in_one_step(lea, project):
    form = {
        "minutes": "-1",
        "finetune-when": "always",
        "finetune-epochs": "1000",
        "finetune-learning_rate": "1e9",
        "contrastive-when": "never",
        "contrastive-batch": "1",
        "prompt-when": "always",
    }
    response = lea.post(url(project, "students/background"), form)
    assert response.status_code == 422
    errors = response.context["form"].errors
    assert set(errors) == {
        "minutes",
        "finetune-epochs",
        "finetune-learning_rate",
        "contrastive-batch",
        "prompt-model",
    }
    assert errors["finetune-epochs"] == ["epochs must be from 1 to 100, not 1,000."]
    assert not project.recipes.filter(when="always").exists()


def test_reviewers_look_and_managers_act(sign_in, ben, cast, project):
    with_files(project, 1)
    assert ben.get(url(project)).status_code == 200
    for rest in ("students/1/promote", "students/unpin", "students/finetune"):
        assert ben.post(url(project, rest)).status_code == 404
    assert ben.get(url(project, "students/1/download")).status_code == 404
    Membership.objects.create(project=project, user=cast.cleo, role=Role.MANAGER)
    assert sign_in(cast.cleo).get(url(project, "students/1/download")).status_code == 200
    assert sign_in(cast.ana).get(url(project)).status_code == 404


def test_another_projects_student_is_not_found(lea, cast, project):
    other = make_project(cast, name="Other")
    with_files(other, 1)
    assert lea.post(url(project, "students/1/promote")).status_code == 404
    assert lea.get(url(project, "students/1/download")).status_code == 404


def test_the_number_of_queries_does_not_grow(lea, project, django_assert_max_num_queries):
    for number in range(1, 20):
        version(project, number)
    with django_assert_max_num_queries(13):
        lea.get(url(project))


def test_what_trains_in_the_background_is_set_with_the_plugins_own_fields(lea, ben, project):
    page = lea.get(url(project, "students/background")).content.decode()
    assert "0 of 30 minutes" in page.replace("0.0 of", "0 of")
    assert "Passes over the data" in page, "the docstring's help"
    form = {"minutes": "45", "finetune-when": "always", "finetune-epochs": "3"}
    assert lea.post(url(project, "students/background"), form).status_code == 302
    project.refresh_from_db()
    recipe = project.recipes.get()
    assert (project.training_minutes, recipe.when, recipe.params) == (45, "always", {"epochs": 3})
    wrong = lea.post(url(project, "students/background"), {**form, "finetune-epochs": "0"})
    assert wrong.status_code == 422
    assert b"epochs" in wrong.content
    assert ben.get(url(project, "students/background")).status_code == 404


def test_who_serves_says_when_it_learns_on_and_which_labels_it_lacks(lea, project):
    with_files(project, 1)
    ids = list(project.labels.order_by("column").values_list("pk", flat=True))
    StudentVersion.objects.filter(project=project).update(
        kind="contrastive", trained_on=100, label_ids=ids
    )
    project.current_student = StudentVersion.objects.get(project=project)
    project.save(update_fields=["current_student"])
    version(project, 2, trained_on=119)
    said = "It learns on by itself from 120 labelled items on."
    assert said in lea.get(url(project)).content.decode()
    add_labels(project, [("Fraud", "", "", "")])
    told = lea.get(url(project)).content.decode()
    assert "It cannot give “Fraud”, added since it was trained." in told
    assert "once one of them was given, or from 120 labelled items on" in told
    Project.objects.filter(pk=project.pk).update(training_paused=True)
    assert "nothing more while training is paused" in lea.get(url(project)).content.decode()
    Project.objects.filter(pk=project.pk).update(training_paused=False, training_minutes=0)
    assert "no student has minutes" in lea.get(url(project)).content.decode()


def test_the_background_says_where_a_student_would_not_pay(lea, project):
    version(project, 1, trained_on=5_000)
    told = lea.get(url(project, "students/background")).content.decode()
    assert (
        "It pays with 4 to 50 answers a label, here 12 to 150 in all, and these are 5,000." in told
    )
