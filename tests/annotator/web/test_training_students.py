"""Students are trained by hand and in the background, as the two forms say."""

import pytest
from django.utils import timezone

from annotator.actions.projects.schema import add_labels
from annotator.models import Job, Project, StudentVersion
from tests.annotator.web.versions_made import url, version, with_files

pytestmark = pytest.mark.django_db


def test_any_student_beside_the_head_is_trained_by_hand(lea, project):
    page = lea.get(url(project)).content.decode()
    assert '<option value="finetune">' in page
    assert '<option value="contrastive">' in page
    address = url(project, "students/finetune")
    assert lea.post(address, {"kind": "nobody"}).status_code == 422
    assert lea.post(address, {"kind": "contrastive", "epochs": "2"}).status_code == 302
    job = Job.objects.get(kind="finetune", state="queued")
    assert job.params == {"kind": "contrastive", "student": {"epochs": 2}}


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


def test_a_recipe_is_trained_now_with_every_parameter_that_its_card_has(lea, project):
    address = url(project, "students/background")
    pressed = lea.get(address).content.decode().split("<button")[2]
    assert 'value="' not in pressed.split(">")[0], "Enter in a field saves, and trains nothing"
    form = {"minutes": "30", "finetune-when": "never", "finetune-method": "lora", "now": "finetune"}
    assert lea.post(address, form).status_code == 302
    asked = {"kind": "finetune", "student": {"method": "lora"}}
    assert Job.objects.get(kind="finetune").params == asked
    again = lea.post(address, form | {"finetune-rank": "4"})
    assert again.status_code == 409
    assert "A training waits already" in again.content.decode()
    assert "Saved." in again.content.decode()
    assert project.recipes.get().params == {"method": "lora", "rank": 4}


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
