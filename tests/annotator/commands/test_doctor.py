"""The doctor finds a healthy system healthy, and each broken invariant by its name."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.exports import exporting
from annotator.actions.instance import doctor
from annotator.actions.students import lessons
from annotator.models import (
    Assignment,
    Encoding,
    Item,
    Job,
    JobState,
    LedgerBatch,
    Project,
    Snapshot,
    StudentVersion,
    Verdict,
)
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.annotator.commands.test_people import speak


def examine(**options):
    """{name: finding} of everything that is looked at."""
    return {found.name: found for found in doctor.examine(**options)}


def broken(**options):
    return {name: found.seen for name, found in examine(**options).items() if not found.ok}


def behind(statement, *values):
    """Do what nobody may: past the triggers and the product."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT annotator_open_ledger('test', 'tamper', 1)")
        cursor.execute(statement, values)


def change_an_annotation(project):
    said = project.annotations.first()
    behind("UPDATE annotator_annotation SET labels = '{}' WHERE id = %s", said.pk)


def lose_an_entry(project):
    said = project.annotations.last()
    behind("DELETE FROM annotator_ledgerentry WHERE annotation_id = %s", said.pk)


def forge_the_chain(project):
    LedgerBatch.objects.update(digest=b"x" * 32)


def part_answer_and_lease(project):
    lost = Assignment.objects.filter(state="answered").first()
    Assignment.objects.filter(pk=lost.pk).update(state="released")


def miscount(project):
    Item.objects.filter(project=project, number=7).update(answers=9)


def give_a_place_twice(project):
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX one_live_lease_or_answer_per_slot")
        cursor.execute("DROP INDEX one_meeting_per_voice")
    answered = Assignment.objects.filter(state="answered").first()
    answered.pk = None
    answered.save(force_insert=True)


def lease_for_hours(project):
    Assignment.objects.filter(state="answered").update(
        state="leased", lease_until=timezone.now() + timedelta(hours=2)
    )


def strand_a_job(project):
    long_ago = timezone.now() - timedelta(minutes=5)
    Job.objects.filter(pk=Job.objects.first().pk).update(
        state=JobState.RUNNING, lease_until=long_ago
    )


def leave_a_gap(project):
    Project.objects.filter(pk=project.pk).update(item_count=61)


def cut_the_matrix(project):
    Encoding.objects.update(rows=61)


def swap_the_student(project):
    StudentVersion.objects.filter(pk=project.current_student_id).update(digest="0" * 64)


def lose_the_export(project):
    Snapshot.objects.update(stored_name="gone.zip")


def misname_the_export(project):
    Snapshot.objects.update(sha256="0" * 64)


def orphan_an_item(project):
    Item.objects.filter(project=project, number=7).update(batch_id=987_654)


def claim_a_teacher_said_it(project):
    Verdict.objects.filter(project=project).update(source="teacher")


TAMPERINGS = (
    (orphan_an_item, "references", "1 rows of annotator_item refer by batch_id to nothing"),
    (change_an_annotation, "ledger", "was changed"),
    (lose_an_entry, "ledger", "has a gap"),
    (lose_an_entry, "positions", "annotations were acknowledged"),
    (forge_the_chain, "ledger", "does not match"),
    (part_answer_and_lease, "acknowledged", "its assignment is released"),
    (miscount, "counters", "Item number 7 counts 9 answers"),
    (give_a_place_twice, "overlap", "given 2 times"),
    (give_a_place_twice, "overlap", "met twice"),
    (lease_for_hours, "leases", "leased beyond 900 s"),
    (strand_a_job, "jobs", "runs without a live lease"),
    (leave_a_gap, "items", "counts 61"),
    (leave_a_gap, "matrices", "60 of 61 items are encoded"),
    (cut_the_matrix, "matrices", "60 rows of 61"),
    (swap_the_student, "students", "not the one that was published"),
    (claim_a_teacher_said_it, "teachers", "that nothing accepts"),
    (lose_the_export, "snapshots", "its file is gone"),
    (misname_the_export, "snapshots", "was changed"),
)


@pytest.fixture
def system(cast):
    """A project that was labelled, has a student, and an export."""
    project, truth, _ = make_pool(cast)
    encoding.wish_encoding(project)
    work()
    project.refresh_from_db()
    label_some(project, assigning.voice_of(project, cast.ana), truth, 20)
    work()
    exporting.create_snapshot(project, exporting.Options(), cast.lea)
    work()
    project.refresh_from_db()
    return project


@pytest.mark.django_db(transaction=True)
class TestDoctor:
    def test_every_invariant_is_told_and_has_a_remedy(self):
        assert set(doctor.HOLDS) == set(doctor.REMEDIES)
        assert set(doctor.CHECKS) | {"students", "snapshots"} == set(doctor.HOLDS)
        assert {name for _, name, _ in TAMPERINGS} | {"lesson"} == {
            *doctor.HOLDS,
            "jobs",
            "leases",
            "references",
        }

    def test_a_healthy_system_is_healthy_and_each_tampering_is_found(self, system):
        assert broken(deep=True) == {}
        assert set(examine()) == {*doctor.HOLDS, "jobs", "leases", "references"}
        missed = []
        for tamper, name, expected in TAMPERINGS:
            with transaction.atomic():
                tamper(system)
                seen = broken().get(name, "nothing")
                transaction.set_rollback(True)
            if expected not in seen:
                missed.append(f"{tamper.__name__}: {name} said {seen}")
        assert not missed, "\n".join(missed)
        assert broken() == {}, "everything was put back"

    def test_changed_files_and_lessons_are_found(self, system, cast, monkeypatch):
        student = StudentVersion.objects.get(pk=system.current_student_id)
        arrays = students_folder(system.pk) / student.folder / "arrays.safetensors"
        whole = arrays.read_bytes()
        arrays.write_bytes(whole[:-1] + b"?")
        assert "was changed after it was saved" in broken()["students"]
        arrays.write_bytes(whole)
        speak(system, cast.ben, "not sealed yet")
        assert broken() == {}
        held = Item.objects.filter(project=system, answers__gt=0, part="").first()
        lesson = lessons.gather(system, Encoding.objects.get())
        assert held.number in lesson.numbers
        Item.objects.filter(pk=held.pk).update(part="evaluation")
        assert "lesson" not in broken(), "the training query leaves it out"
        monkeypatch.setattr(doctor, "gather", lambda *_: lesson)
        assert f"item number {held.number} is trained on" in broken()["lesson"]
        Item.objects.filter(pk=held.pk).update(part="", text="another text")
        assert "snapshots" not in broken()
        assert "gives other bytes" in broken(deep=True)["snapshots"]


@pytest.mark.django_db(transaction=True)
class TestCommand:
    def test_says_ok_and_ends_well(self, project):
        out = io.StringIO()
        call_command("doctor", stdout=out)
        lines = out.getvalue().splitlines()
        assert all(line.startswith("ok ") for line in lines)
        assert len(lines) == len(doctor.HOLDS) + 3

    def test_says_what_is_broken_and_what_to_do(self, project):
        Project.objects.filter(pk=project.pk).update(item_count=99)
        out = io.StringIO()
        with pytest.raises(SystemExit) as ended:
            call_command("doctor", stdout=out, stderr=io.StringIO())
        assert ended.value.code == 1
        assert f"BROKEN project {project.pk}: items" in out.getvalue()
        assert "→" in out.getvalue()
        out = io.StringIO()
        with pytest.raises(SystemExit):
            call_command(
                *("doctor", "--json", "--project", str(project.pk)),
                stdout=out,
                stderr=io.StringIO(),
            )
        found = [json.loads(line) for line in out.getvalue().splitlines()]
        assert [one["name"] for one in found if not one["ok"]] == ["items"]
