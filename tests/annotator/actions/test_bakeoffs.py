"""Encoders are compared on the project's labels, and one takes over only when it is ready."""

import json
import shutil
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders import bakeoff_runs, bakeoffs, encoding, naming, switching
from annotator.actions.projects import projects
from annotator.actions.projects.schema import change_label
from annotator.actions.students import promoting, teaching
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError, InvalidError
from annotator.models import BakeOff, Encoding, Job, Project, StudentVersion
from learning.errors import DamagedFileError
from learning.students.predictions import read_predictions
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.annotator.pages import Client
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)

FEW = {"components": 2}


@pytest.fixture
def taught(cast):
    """A project that encodes by two components of TF-IDF, with 54 answers and a student."""
    project, truth, _ = make_pool(cast, 60, encoder_params=FEW, audit_share=0.0)
    encoding.wish_encoding(project)
    work()
    label_some(project, assigning.voice_of(project, cast.ana), truth, 54)
    settling.wish_training(project)
    work()
    project.refresh_from_db()
    return project


def compare(project, *params):
    chosen = [bakeoffs.candidate("tfidf-svd", each) for each in params]
    return bakeoffs.create(project, chosen)


def finish(made):
    jobs.execute(made.job_id)
    made = BakeOff.objects.select_related("project", "job").get(pk=made.pk)
    assert made.job.state == "done", made.job.error
    return made


def test_the_better_encoder_is_first_and_takes_over_when_it_is_ready(taught, cast):
    made = finish(compare(taught, {}, {"components": 3}))
    first, *_, last = bakeoffs.standings(made)
    assert (first.candidate.params, last.candidate.params, last.in_use) == ({}, FEW, True)
    assert last.place.clearly_behind
    assert "is better than the encoder in use by" in bakeoffs.in_words(bakeoffs.standings(made))
    old = taught.current_student
    job = bakeoffs.use(made, first.number, cast.lea)
    taught.refresh_from_db()
    assert (taught.encoder_params, taught.current_student) == (FEW, old)
    with pytest.raises(ConflictError, match="under way"):
        bakeoffs.use(made, first.number, cast.lea)
    jobs.execute(job.pk)
    taught.refresh_from_db()
    assert taught.encoder_params == {}
    assert encoding.current_encoding(taught).rows == taught.item_count
    work()
    taught.refresh_from_db()
    assert StudentVersion.objects.filter(encoding=encoding.current_encoding(taught)).exists()
    with pytest.raises(ConflictError, match="already"):
        switching.start(taught, "tfidf-svd", {})


def test_what_served_goes_on_learning_and_predicting_by_its_own_encoder(taught, cast):
    old = encoding.current_encoding(taught)
    jobs.execute(switching.start(taught, "tfidf-svd", {}).pk)
    work()
    taught.refresh_from_db()
    by_both = list(
        StudentVersion.objects.order_by("-number").values_list("encoding", flat=True)[:2]
    )
    assert sorted(by_both) == sorted([old.pk, encoding.current_encoding(taught).pk])
    assert taught.current_student.encoding == old, "nothing shows yet that the other is better"
    assert "goes on serving" in shown(taught, cast)
    newest, before = StudentVersion.objects.order_by("-number").values_list("number", flat=True)[:2]
    assert "head, by TF-IDF + SVD (no weights), components 2" in shown(taught, cast, "students")
    finish(compare(taught, FEW))
    hesitates = "where the student by TF-IDF + SVD (no weights), components 2 hesitates"
    assert hesitates in shown(taught, cast), "that one chose the items, not the encoder in use"
    both = shown(taught, cast, f"students/compare?number={before}&number={newest}")
    assert both.count("Vectors by TF-IDF + SVD (no weights)") == 2
    assert both.count("Vectors by TF-IDF + SVD (no weights), components 2") == 1
    make_items(taught, ["my parcel is late", "a parcel came late"])
    encoding.wish_encoding(taught)
    work()
    taught.refresh_from_db()
    assert taught.current_student.encoding == old
    assert predicted(taught) == taught.item_count == 62


def test_a_student_of_a_former_encoder_that_was_chosen_by_hand_predicts_what_comes_later(taught):
    first = taught.current_student
    jobs.execute(switching.start(taught, "tfidf-svd", {}).pk)
    work()
    newest = StudentVersion.objects.filter(encoding=encoding.current_encoding(taught)).latest("pk")
    promoting.promote(taught, newest)
    make_items(taught, ["my parcel is late"])
    encoding.wish_encoding(taught)
    work()
    taught.refresh_from_db()
    promoting.promote(taught, first)
    work()
    taught.refresh_from_db()
    assert (taught.current_student, predicted(taught)) == (first, 61)
    make_items(taught, ["a parcel came late"])
    encoding.wish_encoding(taught)
    work()
    assert predicted(taught) == 62


def add_an_item(project):
    make_items(project, ["my parcel is late"])
    encoding.wish_encoding(project)


def rename_a_label(project):
    label = project.labels.first()
    change_label(label, name=label.name, description="A new sentence.", hotkey=label.hotkey)
    teaching.start_training(project, "head", {})


@pytest.mark.parametrize("change", [add_an_item, rename_a_label])
def test_a_former_encoder_that_is_gone_is_told_and_not_asked_again_and_again(
    taught, monkeypatch, change
):
    jobs.execute(switching.start(taught, "tfidf-svd", {}).pk)
    work()
    fill = encoding.fill

    def gone(run, project, encoder, params):
        if params == FEW:
            raise DamagedFileError("The model is gone.")
        return fill(run, project, encoder, params)

    monkeypatch.setattr(encoding, "fill", gone)
    change(taught)
    done = 0
    while waiting := Job.objects.filter(state="queued").order_by("id").first():
        Job.objects.filter(pk=waiting.pk).update(due_at=timezone.now())
        jobs.execute(waiting.pk)
        done += 1
        assert done < 20, "it goes on for ever"
    failed = Job.objects.filter(state="failed")
    assert {(each.kind, "Bring its model back" in each.error) for each in failed} == {
        ("encode", True)
    }
    monkeypatch.undo()
    failed.update(finished_at=timezone.now() - timedelta(hours=1))
    teaching.start_training(taught, "head", {})
    work()
    taught.refresh_from_db()
    assert predicted(taught) == taught.item_count
    assert not naming.behind(taught, taught.current_student.encoding)


def shown(project, cast, page="settings/encoder"):
    """What a page of the project says, to begin with that of the encoder."""
    lea = Client()
    lea.force_login(cast.lea)
    return lea.get(f"/projects/{project.pk}/{page}").content.decode()


def predicted(project):
    """Of how many items the student that serves says something."""
    folder = encoding.students_folder(project.pk) / project.current_student.folder
    return read_predictions(folder / "pool").rows


def test_a_killed_comparison_goes_on_with_the_same_draws(taught, monkeypatch):
    made, measure = compare(taught, {}, {"components": 3}), bakeoff_runs._Work.measure
    asked = []

    def once(self, number, candidate):
        if number == 1 and not asked:
            asked.append(number)
            raise KeyboardInterrupt
        return measure(self, number, candidate)

    monkeypatch.setattr(bakeoff_runs._Work, "measure", once)
    with pytest.raises(KeyboardInterrupt):
        jobs.execute(made.job_id)
    before = BakeOff.objects.get(pk=made.pk)
    Job.objects.filter(pk=made.job_id).update(lease_until=timezone.now())
    after = finish(made)
    assert set(before.results) == {"0"}
    assert after.results["0"] == before.results["0"]
    assert after.items == before.items
    assert len(after.results["2"]["scores"]) == 10


def test_one_that_cannot_be_loaded_says_why_and_the_others_go_on(taught, request):
    broken = encoding.Path(encoding.settings.DATA_DIR) / "models" / "broken"
    broken.mkdir(parents=True, exist_ok=True)
    request.addfinalizer(lambda: shutil.rmtree(broken))  # other tests look into that folder too
    (broken / "config.json").write_text("{}")
    offered = bakeoffs.installed(taught)
    assert {"MiniLM (built in)", "broken"} < {each.label for each in offered}
    bad = next(each for each in offered if each.label == "broken")
    made = finish(bakeoffs.create(taught, [bad, bakeoffs.candidate("tfidf-svd", {})]))
    errors = [each.error for each in bakeoffs.standings(made)]
    assert errors[:2] == ["", ""]
    assert "broken" in errors[2]
    with pytest.raises(InvalidError, match="not measured"):
        bakeoffs.use(made, 1, None)


def test_a_folder_of_models_may_be_called_by_its_name(taught):
    own = encoding.Path(encoding.settings.DATA_DIR) / "models" / "own"
    own.mkdir(parents=True, exist_ok=True)
    (own / "config.json").write_text("{}")
    by_name = bakeoffs.candidate("transformers", {"name": "own"})
    by_path = bakeoffs.candidate("transformers", {"name": str(own)})
    made = bakeoffs.create(taught, [by_name, by_path])
    assert [each["params"] for each in made.candidates] == [FEW, {"name": str(own)}]


@pytest.mark.parametrize("how", ["fails", "cancelled"])
def test_a_change_that_fails_leaves_what_served(taught, monkeypatch, how):
    job = switching.start(taught, "tfidf-svd", {})
    old, student = encoding.current_encoding(taught), taught.current_student

    def breaks(project, start, count):
        if how == "cancelled":
            raise jobs.CancelledError("Cancelled.")
        raise InvalidError("The disk broke.")

    monkeypatch.setattr(encoding, "contents", breaks)
    jobs.execute(job.pk)
    assert Job.objects.get(pk=job.pk).state == ("failed" if how == "fails" else "cancelled")
    taught.refresh_from_db()
    assert (taught.encoder_params, taught.current_student) == (FEW, student)
    assert encoding.current_encoding(taught) == old


def test_items_that_come_meanwhile_are_encoded_too(taught, monkeypatch):
    job, contents, came = switching.start(taught, "tfidf-svd", {}), encoding.contents, []

    def slowly(project, start, count):
        found = contents(project, start, count)
        if count == encoding.FIRST_CHUNK and not came:
            came.extend(make_items(Project.objects.get(pk=project.pk), ["a late parcel"]))
        return found

    monkeypatch.setattr(encoding, "contents", slowly)
    jobs.execute(job.pk)
    taught.refresh_from_db()
    assert encoding.current_encoding(taught).rows == taught.item_count == 61


def test_settings_change_the_encoder_the_same_way(taught, cast):
    with pytest.raises(InvalidError, match="Ask 1 to 100"):
        projects.change_project(Project.objects.get(pk=taught.pk), encoder="minilm", overlap=0)
    assert not Job.objects.filter(kind="switch").exists()
    projects.change_project(taught, by=cast.lea, encoder="minilm", name="Tickets, renamed")
    taught.refresh_from_db()
    assert (taught.encoder, taught.name) == ("tfidf-svd", "Tickets, renamed")
    assert Job.objects.get(kind="switch").params == {"encoder": "minilm", "params": {}}
    for name, told in (("intfloat/e5", "Name the commit"), ("/etc", "There is no model “/etc”")):
        with pytest.raises(InvalidError, match=told):
            switching.checked(taught, "transformers", {"name": name})
    with pytest.raises(InvalidError, match="does not read"):
        switching.checked(taught, "pixels-pca", {})
    assert Encoding.objects.count() == 1


def test_on_the_page_over_the_api_and_by_command(taught, cast, capsys, monkeypatch):
    lea, here = Client(), f"/projects/{taught.pk}/settings/encoder"
    lea.force_login(cast.lea)
    assert lea.post(here, {}).status_code == 422
    answer = lea.post(here, {"encoders": ["1"]})
    assert answer.status_code == 302, answer.content
    made = finish(BakeOff.objects.get())
    page = lea.get(f"{here}/ranking").content.decode()
    assert "is better than the encoder in use" in page
    assert "from 8 items a label" in page
    assert "favours the others" in page
    Project.objects.filter(pk=taught.pk).update(strategy="random")
    assert "favours the others" not in lea.get(f"{here}/ranking").content.decode()
    Project.objects.filter(pk=taught.pk).update(strategy=taught.strategy)
    best = bakeoffs.standings(made)[0]
    assert lea.post(f"{here}/{made.pk}/use", {"number": best.number}).status_code == 302
    assert switching.under_way(taught) is not None
    assert "It serves until" in lea.get(here).content.decode()
    jobs.request_cancel(switching.under_way(taught))
    told = lea.get(f"/api/v1/projects/{taught.pk}/bake-offs").json()["results"][0]
    assert told["standings"][0]["number"] == best.number
    assert told["said"] == bakeoffs.in_words(bakeoffs.standings(made))
    monkeypatch.setattr(bakeoffs, "installed", lambda project: [best.candidate])
    call_command("bake_off", str(taught.pk), use=True)
    first, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["in_use"], last["clearly_behind"]) == (False, True)
    taught.refresh_from_db()
    assert taught.encoder_params == {}
