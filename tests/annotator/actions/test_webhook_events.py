"""What webhooks are told of, from the deeds of people and workers to the message."""

import io
import json
import uuid
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import resolve

from annotator import jobs
from annotator.actions.desk import assigning, labeling, revising
from annotator.actions.exports import export_options, exporting
from annotator.actions.imports import importing
from annotator.actions.projects import codebook
from annotator.actions.review import flagging, reviewing
from annotator.actions.students import promoting, training
from annotator.actions.teachers import teacher_runs
from annotator.actions.verdicts import settling, verdicts
from annotator.formats.mapping import Mapping
from annotator.models import (
    Annotation,
    Delivery,
    Flag,
    FlagKind,
    Label,
    StudentState,
    StudentVersion,
    TeacherRun,
    TeacherRunState,
)
from tests.annotator.hooked import SOUND, allow, hook_to
from tests.annotator.teaching import teacher_on
from tests.annotator.web.helpers import say
from tests.factories import make_items, make_project
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db

CSV = b"id,text,label\nt-1,My card was charged twice,Billing\nt-2,Where is my parcel?,Delivery\n"


@pytest.fixture
def receiver():
    """A host that may be called; what is to be told is read from the outbox."""
    server = SimpleNamespace(port=1)
    allow(server)
    return server


@pytest.fixture
def watched(cast, receiver):
    """A project with six items, all of whose events are told."""
    made = make_project(cast, audit_share=0, overlap=2)
    items = make_items(made, 6)
    for item in items:
        item.external_id = f"t-{item.number}"
        item.save(update_fields=["external_id"])
    hook_to(receiver, made)
    made.made = items
    return made


def told(project, event):
    """The data of every event of a kind, in order."""
    rows = Delivery.objects.filter(webhook__project=project, type=event).order_by("pk")
    return list(rows.values_list("data", flat=True))


def entries(project, event, name):
    return [entry for data in told(project, event) for entry in data[name]]


class TestVerdicts:
    def test_labels_are_told_by_their_keys_once_they_are_decided(self, cast, watched):
        ana = assigning.voice_of(watched, cast.ana)
        say(watched, ana, watched.made[0], "Billing")
        settling.settle_now(watched)
        assert entries(watched, "verdict.decided", "verdicts") == [
            {
                "item": watched.made[0].pk,
                "external_id": "t-0",
                "state": "decided",
                "source": "consensus",
                "labels": ["billing"],
                "has_value": False,
            }
        ]

    def test_an_answer_itself_writes_nothing_for_webhooks(self, cast, watched):
        ana = assigning.voice_of(watched, cast.ana)
        lease = assigning.lease(watched, ana, 1)[0]
        label = watched.labels.get(key="login").pk
        labeling.submit(watched, ana, uuid=uuid.uuid4(), assignment_id=lease.pk, labels=[label])
        assert not Delivery.objects.exists()

    def test_verdicts_that_stay_the_same_are_not_told_again(self, cast, watched):
        ana = assigning.voice_of(watched, cast.ana)
        for item in watched.made:
            say(watched, ana, item, "Billing")
        settling.settle_now(watched)
        assert len(entries(watched, "verdict.decided", "verdicts")) == 6
        verdicts.decide(watched, [item.pk for item in watched.made])
        assert len(entries(watched, "verdict.decided", "verdicts")) == 6

    def test_a_change_and_a_withdrawal_are_told(self, cast, watched):
        ana = assigning.voice_of(watched, cast.ana)
        login = watched.labels.get(key="login").pk
        lease = assigning.lease(watched, ana, 1)[0]
        word = labeling.submit(
            watched, ana, uuid=uuid.uuid4(), assignment_id=lease.pk, labels=[login]
        )
        settling.settle_now(watched)
        ben = assigning.voice_of(watched, cast.ben)
        said = say(watched, ben, word.item, "Billing")
        revising.retract(watched, ana, uuid=uuid.uuid4(), annotation_uuid=word.uuid)
        settling.settle_now(watched)
        Annotation.objects.create(
            uuid=uuid.uuid4(),
            project=watched,
            item=word.item,
            annotator=ben,
            previous=said,
            kind="retraction",
        )
        settling.settle_now(watched)
        decided = entries(watched, "verdict.decided", "verdicts")
        assert {each["item"] for each in decided} == {word.item_id}
        assert [(each["state"], each.get("labels")) for each in decided] == [
            ("decided", ["login"]),
            ("tie", decided[1]["labels"]),
            ("decided", ["billing"]),
            ("withdrawn", None),
        ]

    def test_no_text_of_an_item_or_a_person_is_told(self, cast, watched):
        ana = assigning.voice_of(watched, cast.ana)
        item = watched.made[0]
        say(watched, ana, item, "Billing")
        labeling.flag(watched, ana, item=item, reason="my own words")
        settling.settle_now(watched)
        reviewing.settle(
            watched,
            cast.ben,
            uuid=uuid.uuid4(),
            item=item,
            labels=[watched.labels.get(key="login").pk],
            comment="my own words",
        )
        settling.settle_now(watched)
        shown = json.dumps(list(Delivery.objects.values_list("data", flat=True)))
        assert Delivery.objects.count() == 4
        assert item.text not in shown
        assert "my own words" not in shown
        assert cast.ana.username not in shown


class TestReview:
    def test_a_persons_flag_is_told_once(self, cast, watched):
        ana = assigning.voice_of(watched, cast.ana)
        raised = labeling.flag(watched, ana, item=watched.made[0], reason="Odd")
        labeling.flag(watched, ana, item=watched.made[0], reason="Very odd")
        assert entries(watched, "flag.opened", "flags") == [
            {"flag": raised.pk, "item": watched.made[0].pk, "by": "person"}
        ]

    def test_machines_flags_do_not_tell_which_of_them_chance_drew(self, watched):
        fresh = [
            Flag(project=watched, item=item, kind=kind, rank=rank)
            for rank, (item, kind) in enumerate(
                zip(watched.made, (FlagKind.DETECTOR, FlagKind.RANDOM), strict=False)
            )
        ]
        flagging._replace(watched, fresh)
        assert [each["by"] for each in entries(watched, "flag.opened", "flags")] == ["machine"] * 2
        again = [
            Flag(project=watched, item=watched.made[0], kind=FlagKind.DETECTOR, rank=0, score=0.1)
        ]
        flagging._replace(watched, again)
        assert len(entries(watched, "flag.opened", "flags")) == 2

    def test_a_new_meaning_that_puts_items_before_reviewers_is_told(self, cast, watched):
        say(watched, assigning.voice_of(watched, cast.ana), watched.made[0], "Billing")
        settling.settle_now(watched)
        was = Label.objects.get(project=watched, key="billing")
        label = Label.objects.get(pk=was.pk)
        label.description = "Now only refunds"
        change = codebook.note_label(label, was, by=cast.lea, means_else=True)
        assert change.asked == 1
        [entry] = entries(watched, "flag.opened", "flags")
        assert (entry["item"], entry["by"]) == (watched.made[0].pk, "codebook")
        assert Flag.objects.get(pk=entry["flag"]).kind == FlagKind.DEFINITION

    def test_a_reviewers_word_is_told_with_what_it_closed(self, cast, watched):
        item = watched.made[0]
        ana = assigning.voice_of(watched, cast.ana)
        say(watched, ana, item, "Billing")
        settling.settle_now(watched)
        labeling.flag(watched, ana, item=item)
        reviewing.settle(
            watched,
            cast.ben,
            uuid=uuid.uuid4(),
            item=item,
            labels=[watched.labels.get(key="login").pk],
        )
        assert entries(watched, "review.settled", "reviews") == [
            {"item": item.pk, "external_id": "t-0", "outcome": "change", "flags": 1}
        ]

    def test_nothing_settled_is_nothing_told(self, cast, watched):
        reviewing.settle_flags(watched.made[0], cast.ben)
        assert not Delivery.objects.exists()


def test_an_import_is_told_when_its_items_are_there(cast, receiver):
    project = make_project(cast)
    hook_to(receiver, project, events=["import.finished", "verdict.decided"])
    mapped = Mapping(text="text", label="label", id="id")
    batch = importing.start_import(
        project, io.BytesIO(CSV), mapped, importing.Options(labels="truth"), name="secret.csv"
    )
    jobs.execute(batch.job_id)
    assert told(project, "import.finished") == [
        {"import": batch.pk, "rows": 2, "items": 2, "answers": 2, "path": f"imports/{batch.pk}"}
    ]
    settling.settle_now(project)
    decided = entries(project, "verdict.decided", "verdicts")
    assert [(each["external_id"], each["labels"], each["source"]) for each in decided] == [
        ("t-1", ["billing"], "truth"),
        ("t-2", ["delivery"], "truth"),
    ]


def test_a_snapshot_is_told_with_the_hash_of_its_file(cast, watched, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    snapshot = exporting.create_snapshot(watched, export_options.Options(), cast.lea)
    jobs.execute(snapshot.job_id)
    snapshot.refresh_from_db()
    assert told(watched, "snapshot.ready") == [
        {
            "snapshot": snapshot.pk,
            "sha256": snapshot.sha256,
            "size_bytes": snapshot.size_bytes,
            "path": f"snapshots/{snapshot.pk}",
        }
    ]


def test_a_student_that_takes_over_is_told_and_one_that_does_not_is_not(cast, watched):
    version = StudentVersion.objects.create(
        project=watched, number=1, kind="head", state=StudentState.READY, folder="one"
    )
    files = training.students_folder(watched.pk) / version.folder
    files.mkdir(parents=True, exist_ok=True)
    (files / "manifest.json").write_text("{}")
    promoting.promote(watched, version, cast.lea)
    assert told(watched, "student.promoted") == [
        {
            "student": version.pk,
            "number": 1,
            "kind": "head",
            "rule": "hand",
            "path": f"students/{version.pk}",
        }
    ]


def test_a_teachers_run_is_told_once_whatever_ends_it(cast, receiver):
    with Loopback(SOUND) as server:
        project, teacher = teacher_on(server, cast)
        hook_to(receiver, project)
        run = TeacherRun.objects.create(project=project, teacher=teacher, numbers=[1])
        assert teacher_runs.end(run, TeacherRunState.CANCELLED)
        assert not teacher_runs.end(run, TeacherRunState.DONE)
    assert told(project, "teacher_run.finished") == [
        {
            "run": run.pk,
            "teacher": teacher.pk,
            "kind": "label",
            "state": "cancelled",
            "path": f"teachers/runs/{run.pk}",
        }
    ]


def test_every_address_that_is_told_is_one_of_the_api(watched):
    for path in ("imports/1", "snapshots/1", "students/1", "teachers/runs/1", "jobs/1", "items/1"):
        assert resolve(f"/api/v1/projects/{watched.pk}/{path}").url_name != "api_nothing"


def test_a_project_without_webhooks_pays_one_look_a_settling(cast):
    """What a look costs is an index probe of an empty table; nothing is compared or written."""
    project = make_project(cast, audit_share=0)
    items = make_items(project, 3)
    for item in items:
        say(project, assigning.voice_of(project, cast.ana), item, "Billing")
    settling.settle_now(project)
    ids = [item.pk for item in items]
    with CaptureQueriesContext(connection) as caught:
        verdicts.decide(project, ids)
    about = [q["sql"] for q in caught if "webhook" in q["sql"] or "delivery" in q["sql"]]
    assert len(about) == 1
