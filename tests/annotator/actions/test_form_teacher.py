"""A language model in a project of forms: what it answers is shown to people, and decides nothing."""

import io
import json
import zipfile

import pytest
from django.urls import reverse

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.exports import exporting
from annotator.actions.exports.exporting import Options
from annotator.actions.imports import recordings
from annotator.actions.projects import form_questions, projects, schema
from annotator.actions.routing import policies
from annotator.actions.teachers import identity, lending, prompts, teacher_runs, teachers
from annotator.actions.trust import qualifying
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Annotation,
    Project,
    Role,
    Teacher,
    TeacherAnswer,
    Verdict,
)
from tests.annotator.actions.test_forms import add, ids
from tests.annotator.actions.test_importing import run as run_job
from tests.annotator.teaching import teacher_on, work_off
from tests.factories import join, make_items
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS = [f"Fire in room {n}" for n in range(6)]
PAGES = {
    **dict.fromkeys(("teachers", "annotators", "routing", "agreement"), ()),
    **dict.fromkeys(("teacher", "teacher_prompt"), (lambda teacher: teacher.pk,)),
    "scorecard": (lambda teacher: teacher.voice_id,),
    "recording_new": (),
}
FIRE = ("Urgent > yes", "Why > fire", "How bad > 2")


def form_project(cast, *, marks=False, name="Calls"):
    made = projects.create_project(
        cast.lea, name, task_type="form", encoder="tfidf-svd", audit_share=0, overlap=1
    )
    join(made, cast.ana, Role.ANNOTATOR)
    add(made, "Urgent", "yes", "no")
    add(made, "Why", "water", "fire", kind="multi", only_if=[ids(made)["Urgent > yes"]])
    add(made, "How bad", "1", "2", "3", kind="rating", only_if=[ids(made)["Why > fire"]])
    if marks:
        add(made, "Where", "room", kind="spans", only_if=[ids(made)["Urgent > yes"]])
    form_questions.add_question(made, "Note", kind="text", optional=True)
    return Project.objects.get(pk=made.pk)


def filling(project):
    """Whoever reads of fire says so, and where; else nothing is urgent."""
    known = ids(project)

    def label(name):
        return str(known[name])

    def form(text):
        if "Fire" not in text:
            return {"urgent": label("Urgent > no"), "why": None, "how-bad": None, "where": None}
        room = {"before": "in", "quote": "room", "verdict": True, "confidence": 0.7}
        return {
            "urgent": label("Urgent > yes"),
            "why": [label("Why > fire")],
            "how-bad": label("How bad > 2"),
            "where": [room | {"label": known.get("Where > room", 0)}],
        }

    asked = {one.key for one in project.task.questions if one.labels}

    def content(request):
        entries = [
            {
                "item": key,
                "form": {name: said for name, said in form(text).items() if name in asked},
                "confidence": 0.8,
            }
            for key, text in plays.items_of(request).items()
        ]
        return json.dumps({"answers": entries})

    return plays.says(content)


@pytest.fixture
def project(cast):
    return form_project(cast)


@pytest.fixture
def taught(cast, project):
    with Loopback(filling(project)) as server:
        yield teacher_on(server, cast, project=project, texts=TEXTS)


def labels_of(project, names):
    return [ids(project)[name] for name in names]


def test_a_trial_shows_what_it_answers_to_each_question_and_what_that_costs(
    taught, project, client, cast
):
    _, teacher = taught
    run = work_off(teacher_runs.try_on(project, teacher, None))
    answers = TeacherAnswer.objects.filter(run=run)
    assert {tuple(row.labels) for row in answers} == {tuple(labels_of(project, FIRE))}
    assert (answers.count(), run.spent > 0, run.estimate["high"] > run.estimate["low"] > 0) == (
        *(5, True, True),
    )
    assert not Annotation.objects.exists()
    client.force_login(cast.lea)
    page = client.get(reverse("teacher_run", args=[project.pk, run.pk])).content.decode()
    assert "Urgent &gt; yes, Why &gt; fire, How bad &gt; 2" in page


def test_a_run_enters_forms_that_people_are_shown_and_that_are_no_votes(taught, project, cast):
    _, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 10))
    said = Annotation.objects.filter(annotator=teacher.voice)
    assert said.count() == 6
    assert {(tuple(row.labels), row.value) for row in said} == {
        (tuple(labels_of(project, FIRE)), None)
    }
    assert not Verdict.objects.exists()
    (lease,) = assigning.lease(project, assigning.voice_of(project, cast.ana), 1)
    assert sorted(lease.suggestion) == [[pk, 0.8] for pk in sorted(labels_of(project, FIRE))]


def test_what_it_marks_is_shown_beside_its_labels(cast):
    project = form_project(cast, marks=True)
    with Loopback(filling(project)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=TEXTS)
        work_off(teacher_runs.start_run(project, teacher, None, 10))
    room = {"start": 8, "end": 12, "label": ids(project)["Where > room"]}
    values = [row.value for row in Annotation.objects.filter(annotator=teacher.voice)]
    assert values == [{"spans": [room]}] * 6
    (lease,) = assigning.lease(project, assigning.voice_of(project, cast.ana), 1)
    assert lease.suggestion["spans"] == [room | {"probability": 0.7}]
    assert sorted(lease.suggestion["labels"]) == [
        [pk, 0.8] for pk in sorted(labels_of(project, FIRE))
    ]


def test_its_word_leaves_as_an_annotation_question_by_question(taught, project):
    _, teacher = taught
    work_off(teacher_runs.start_run(project, teacher, None, 10))
    snapshot = exporting.create_snapshot(
        project, Options(format="jsonl", contents=("annotations",))
    )
    run_job(snapshot.job)
    snapshot.refresh_from_db()
    with zipfile.ZipFile(exporting.path_of(snapshot)) as archive:
        (name,) = [each for each in archive.namelist() if each.startswith("annotations")]
        rows = [json.loads(line) for line in archive.read(name).decode().splitlines()]
    told = {(row["answer_urgent"], tuple(row["answer_why"]), row["answer_how-bad"]) for row in rows}
    assert (len(rows), told) == (6, {("yes", ("fire",), "2")})


def test_only_what_labels_and_marks_answer_is_asked(cast):
    project = form_project(cast, marks=True)
    asked = lending.schema_of(project).questions
    assert [one.key for one in asked] == ["urgent", "why", "how-bad", "where"]
    assert [one.ordered for one in asked] == [False, False, True, False]
    assert [(one.several, one.marks) for one in asked[1:]] == [
        (True, False), (False, False), (True, True),
    ]  # fmt: skip
    schema.archive_label(project.labels.get(name="Why > water"))
    names = lending.schema_of(project).names
    why = next(one for one in lending.schema_of(project).questions if one.key == "why")
    assert [names[column] for column in why.columns] == ["Why > fire"]


def test_another_question_makes_it_another_teacher(taught, project):
    _, teacher = taught
    before = identity.fingerprint(teacher, teacher.params, lending.schema_of(project))
    form_questions.change_question(
        project.form_questions.get(key="how-bad"), only_if=labels_of(project, ["Why > water"])
    )
    project = Project.objects.get(pk=project.pk)
    after = identity.fingerprint(teacher, teacher.params, lending.schema_of(project))
    assert before != after


def test_policies_tests_and_calibration_say_that_forms_decide_nothing(
    taught, project, client, cast
):
    _, teacher = taught
    with pytest.raises(InvalidError, match="No policy weighs forms yet"):
        policies.change_policy(project, cast.lea, teacher=teacher, enabled=True)
    with pytest.raises(ConflictError, match="there is none of forms yet"):
        qualifying.start(project, teacher, cast.lea)
    client.force_login(cast.lea)
    page = client.get(reverse("scorecard", args=[project.pk, teacher.voice_id])).content.decode()
    assert "Its forms are suggestions and decide nothing" in page
    page = client.get(reverse("routing", args=[project.pk])).content.decode()
    assert "No policy weighs forms yet" in page
    assert "Save the policy" not in page


def test_other_kinds_of_teacher_are_not_offered(project, cast):
    assert [name for name, _ in teachers.offered(project)] == ["openai"]
    with pytest.raises(InvalidError):
        teachers.create_teacher(project, cast.lea, name="Names", plugin="zero-shot")


def test_the_prompt_page_shows_the_questions(taught, project, client, cast):
    _, teacher = taught
    client.force_login(cast.lea)
    page = client.get(reverse("teacher_prompt", args=[project.pk, teacher.pk]), {"item": 1})
    assert page.status_code == 200
    assert "Asked only if one of these was given" in page.content.decode()
    assert prompts.idle_settings(teacher) == ("candidates",)


@pytest.mark.parametrize("marks", [False, True])
def test_every_page_of_teachers_opens(cast, client, marks):
    project = form_project(cast, marks=marks)
    with Loopback(filling(project)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=TEXTS)
        work_off(teacher_runs.start_run(project, teacher, None, 10))
    client.force_login(cast.lea)
    for name, more in PAGES.items():
        page = client.get(reverse(name, args=[project.pk, *(each(teacher) for each in more)]))
        assert page.status_code == 200, name


def test_a_form_of_texts_alone_says_that_there_is_nothing_to_ask_a_teacher(cast, client):
    project = projects.create_project(cast.lea, "Letters", task_type="form", audit_share=0)
    client.force_login(cast.lea)
    address = reverse("teachers", args=[project.pk])
    assert "you try it on five items first" in client.get(address).content.decode()
    form_questions.add_question(project, "Why", kind="text")
    page = client.get(address).content.decode()
    assert "there is nothing to ask them, and people write" in page
    assert "Set up a teacher" not in page
    assert "upload answers" not in page
    with pytest.raises(ConflictError, match="takes a text of one's own"):
        recordings.receive(project, io.BytesIO(b"id,labels\n1,a\n"), None, name="x.csv")
    add(project, "Urgent", "yes", "no")
    assert "Set up a teacher" in client.get(address).content.decode()


def test_a_files_forms_become_a_teacher(project, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    make_items(project, TEXTS[:5])
    said = [
        list(FIRE),
        ["Urgent > no", "Why > fire"],
        ["Urgent > yes", "Why > fire"],
        ["Urgent > yes", "Urgent > no"],
        ["Urgent > perhaps"],
    ]
    rows = (json.dumps({"number": n, "labels": names}) for n, names in enumerate(said))
    file = io.BytesIO("\n".join(rows).encode())
    recording = recordings.receive(project, file, None, name="gpt.jsonl")
    recording = recordings.begin(recording, recordings.look(recording).mapping)
    jobs.execute(recording.job_id)
    teacher = Teacher.objects.get(recording=recording)
    work_off(teacher_runs.start_run(project, teacher, None, 10))
    answers = {row.item.number: row for row in TeacherAnswer.objects.select_related("item")}
    assert {number: row.labels for number, row in answers.items() if not row.abstained} == {
        0: labels_of(project, FIRE),
        1: labels_of(project, ["Urgent > no"]),
    }
    assert [answers[number].abstained for number in (2, 3, 4)] == [
        "“How bad” has no answer.",
        "“Urgent” takes one answer.",
        "The recorded answer “Urgent > perhaps” is no label of this project.",
    ]


def test_a_files_marks_stand_beside_its_labels(cast, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    project = form_project(cast, marks=True)
    make_items(project, TEXTS[:4])
    room = {"quote": "room", "before": "in", "label": "Where > room", "confidence": 0.9}
    marked = [[room], [{"start": 8, "end": 12, "label": "Where > room"}], [], None]
    rows = (
        json.dumps({"number": n, "labels": list(FIRE), "spans": spans})
        for n, spans in enumerate(marked)
    )
    file = io.BytesIO("\n".join(rows).encode())
    recording = recordings.receive(project, file, None, name="gpt.jsonl")
    recording = recordings.begin(recording, recordings.look(recording).mapping)
    jobs.execute(recording.job_id)
    teacher = Teacher.objects.get(recording=recording)
    work_off(teacher_runs.start_run(project, teacher, None, 10))
    place = {"spans": [{"start": 8, "end": 12, "label": ids(project)["Where > room"]}]}
    said = {
        row.item.number: row.value for row in Annotation.objects.filter(annotator=teacher.voice)
    }
    assert said == {0: place, 1: place, 2: {"spans": []}}
    (silent,) = TeacherAnswer.objects.exclude(abstained="")
    assert silent.abstained == "The recorded answer has no spans, and “Where” asks for them."
