"""A head learns beside the answers what a better voice says of items that nobody answered."""

import json
import uuid
from dataclasses import asdict, replace

import numpy as np
import pytest

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.instance import doctor
from annotator.actions.projects import redacting
from annotator.actions.projects.schema import columns_of
from annotator.actions.students import distilling, leaving, sheets, student_words, training, voices
from annotator.actions.teachers import identity, lending, teachers
from annotator.actions.trust import calibrating
from annotator.models import (
    Annotation,
    Calibration,
    Item,
    Job,
    JobState,
    Part,
    Project,
    StudentVersion,
    Teacher,
    TeacherAnswer,
    TeacherRun,
)
from annotator.web import besides
from learning import storage, students
from learning.audit.promotion import compare
from learning.students.distillation import Distillation
from learning.students.predictions import write_predictions
from tests.annotator.audited import answer_all, predictions, running, version
from tests.annotator.pages import Client
from tests.annotator.web.helpers import Word, encode
from tests.factories import make_items, make_project

DRAWN, KEPT, LABELLED = 100, 120, 12  # of the secret order: answered, of the sample, and behind it


def pool(cast):
    """(project, truth, order): 400 items, 60 evaluation and 40 calibration ones answered, 20 more of the
    sample not drawn yet, a dozen others answered. One of the pool is a duplicate of a sample's item."""
    project = make_project(cast, audit_share=0.1)
    items, rng = make_items(project, 400), np.random.default_rng(4)
    for item, key in zip(items, rng.permutation(400), strict=True):
        item.order_key = (key + 1) / 401
    Item.objects.bulk_update(items, ["order_key"])
    truth = rng.integers(0, 3, 400)
    middles = rng.normal(size=(3, 24))
    middles *= 3 / np.linalg.norm(middles, axis=1, keepdims=True)
    encode(project, middles[truth] + 1.5 * rng.normal(size=(400, 24)))
    order = list(Item.objects.filter(project=project).order_by("order_key"))
    labels = label_ids(project)
    ana = assigning.voice_of(project, cast.ana)
    for part, stream, items in (
        (Part.EVALUATION, "audit", order[:60]),
        (Part.CALIBRATION, "audit", order[60:DRAWN]),
        ("", "active", order[KEPT : KEPT + LABELLED]),
    ):
        answer_all(project, ana, items, [labels[truth[each.number]] for each in items], stream)
        Item.objects.filter(pk__in=[each.pk for each in items]).update(part=part)
    twin = order[-1]
    Item.objects.filter(pk=twin.pk).update(content_hash=order[DRAWN].content_hash)
    Project.objects.filter(pk=project.pk).update(
        audit_cutoff=order[KEPT - 1].order_key, audit_size=KEPT
    )
    project.refresh_from_db()
    return project, truth, [each.number for each in order]


def label_ids(project):
    return list(project.labels.order_by("column").values_list("pk", flat=True))


def rival(project, truth, *, wrong):
    """Another student, wrong on every so many-th item; its files are there."""
    said = truth.copy()
    said[::wrong] = (said[::wrong] + 1) % 3
    made = version(project, 1, 12)
    StudentVersion.objects.filter(pk=made.pk).update(kind="finetune")
    made.refresh_from_db()
    known = predictions(said)
    folder = students_folder(project.pk) / made.folder
    write_predictions(
        folder / "pool", Word(known.probabilities, multi_label=False), np.zeros((400, 4))
    )
    sheets.write(running(project, "finetune"), made, known, [])
    return made


def train(project):
    found = training.run_train(running(project, "train"))
    return StudentVersion.objects.get(project=project, number=found["student"])


def arrays(made):
    return storage.load_folder(students_folder(made.project_id) / made.folder)[0]


@pytest.fixture
def asked(monkeypatch):
    """The items of which a voice's word was read, call by call."""
    calls = []
    for kind in (voices.OfStudent, voices.OfTeacher):

        def words(self, numbers, spoken=kind.words):
            calls.append(list(numbers))
            return spoken(self, numbers)

        monkeypatch.setattr(kind, "words", words)
    return calls


@pytest.mark.django_db(transaction=True)
class TestAnotherStudent:
    def test_what_a_better_one_says_of_unanswered_items_is_learned_and_told(self, cast, asked):
        project, truth, _ = pool(cast)
        other = rival(project, truth, wrong=10)
        made = train(project)
        beside = made.beside
        assert beside["voice"] == {"student": other.number, "kind": "finetune"}
        assert (beside["rows"], made.trained_on) == (len(asked[-1]), LABELLED)
        assert beside["better"]["n"] == beside["bought"]["n"] == 60
        assert beside["bought"]["difference"] > 0.05
        manifest = json.loads(
            (students_folder(project.pk) / made.folder / "manifest.json").read_text()
        )
        assert manifest["beside"] == beside
        sentence = f"learned also from {beside['rows']} soft rows of student 1 (weight 0."
        assert distilling.learned(made).startswith(sentence)
        card = dict(leaving.members(made))[f"{leaving.package_of(made)}/README.md"]
        assert f"It {sentence}" in card.decode()
        lea = Client()
        lea.force_login(cast.lea)
        for place in ("students", f"students/{made.number}"):
            page = lea.get(f"/projects/{project.pk}/{place}").content.decode()
            assert sentence in page
            assert "What it bought: the head is" in page
        named = f"Student {made.number}"
        assert not [said for said in doctor._students(project) if named in said]
        (distilling.plain_folder(made) / storage.ARRAYS).write_bytes(b"spoilt")
        assert [said for said in doctor._students(project) if f"{named}: " in said]

    def test_no_item_of_the_sample_enters_nor_one_like_it_nor_one_answered(self, cast, asked):
        project, truth, order = pool(cast)
        rival(project, truth, wrong=10)
        Item.objects.filter(project=project, number=order[200]).update(removed_at="2026-01-01T00Z")
        redacting.redact_item(Item.objects.get(project=project, number=order[201]), "lea")
        made = train(project)
        assert set(asked[-1]) == set(order[KEPT + LABELLED : -1]) - set(order[200:202])
        assert made.beside["rows"] == len(asked[-1])

    def test_switched_off_it_is_exactly_the_student_that_the_answers_make(self, cast):
        project, truth, _ = pool(cast)
        alone = train(project)
        assert (alone.beside, besides.told(project, alone)) == ({}, "")
        StudentVersion.objects.filter(project=project).delete()
        rival(project, truth, wrong=10)
        project.soft_rows = False
        project.save(update_fields=["soft_rows"])
        off = train(project)
        assert off.beside == {}
        assert "keep it to the answers" in besides.told(project, off)
        for name, values in arrays(off).items():
            np.testing.assert_array_equal(values, arrays(alone)[name])

    def test_a_worse_one_is_refused_and_the_page_says_so(self, cast):
        project, truth, _ = pool(cast)
        alone = train(project)
        StudentVersion.objects.filter(project=project).delete()
        rival(project, truth, wrong=2)
        made = train(project)
        assert "rows" not in made.beside
        assert "from the answers alone: student 1 is" in besides.told(project, made)
        for name, values in arrays(made).items():
            np.testing.assert_array_equal(values, arrays(alone)[name])

    def test_one_whose_files_are_spoilt_keeps_nobody_from_training(self, cast):
        project, truth, _ = pool(cast)
        other = rival(project, truth, wrong=10)
        (students_folder(project.pk) / other.folder / "pool" / "manifest.json").write_text("{")
        assert train(project).beside == {}

    def test_of_a_sample_enlarged_since_nothing_is_held_for_unlearnt(self, cast):
        project, truth, order = pool(cast)
        rival(project, truth, wrong=10)
        made = train(project)
        later = order[KEPT + LABELLED + 5]
        answers = [(order[0], [1]), (order[KEPT - 1], [1]), (later, [1])]
        assert [n for n, _ in sheets.unlearnt(made, answers, [order[0]])] == [
            order[0],
            order[KEPT - 1],
        ]
        twin = Item.objects.get(project=project, number=order[KEPT - 1])
        Item.objects.filter(project=project, number=later).update(content_hash=twin.content_hash)
        assert [n for n, _ in sheets.unlearnt(made, answers, [])] == [order[0]], "nor its twin"
        project.audit_cutoff = 1.0
        made.project = project
        sheet = sheets.write(running(project, "train"), made, predictions(truth), [])
        assert sheet.numbers == order[:KEPT]

    def test_the_same_answers_give_the_same_student_again(self, cast):
        project, truth, _ = pool(cast)
        rival(project, truth, wrong=10)
        one, other = train(project), train(project)
        assert one.beside["digest"] == other.beside["digest"]
        for name, values in arrays(other).items():
            np.testing.assert_allclose(values, arrays(one)[name], atol=2e-3)


def test_the_best_of_several_has_to_be_further_ahead_than_one_alone():
    paired = replace(compare(np.ones(0), np.ones(0), np.random.default_rng(0)), p_better=0.03)
    best = distilling.Best(voice=None, paired=paired, weight=1.0)
    assert best.is_surely_better
    assert not replace(best, among=2).is_surely_better


class Heard:
    """A voice that was heard on the first so many items, and is right where the head is wrong on some."""

    trust = 1.0

    def __init__(self, heard, right):
        self.heard, self.right = heard, right

    def fair(self, numbers):
        return [number for number in numbers if number < self.heard]

    def words(self, numbers):
        return np.eye(2, dtype=np.float32)[[0 if number in self.right else 1 for number in numbers]]


def test_one_that_leads_by_chance_does_not_keep_one_that_surely_leads_from_teaching():
    head = np.arange(200) >= 100
    sample = distilling.Sample(
        numbers=list(range(200)),
        vectors=np.zeros((200, 2), dtype=np.float32),
        truth=np.tile([True, False], (200, 1)),
        right=head.astype(np.float64),
        multi_label=False,
    )
    lucky = Heard(50, set(range(4)))
    steady = Heard(200, {*range(12), *range(100, 200)})
    assert distilling._best(sample, [lucky]).paired.difference == pytest.approx(0.08)
    found = distilling._best(sample, [lucky, steady])
    assert (found.voice, found.is_surely_better) == (steady, True)


@pytest.mark.django_db
def test_without_a_sample_no_number_of_answers_is_promised(cast):
    version = StudentVersion(kind="head", beside={"missing": 50})
    project = make_project(cast, audit_share=0.1)
    assert "after 50 more evaluation answers" in besides.told(project, version)
    project.audit_share = 0.0
    assert "the settings ask for none" in besides.told(project, version)


def test_a_teachers_name_is_told_as_it_is():
    better = asdict(compare(np.ones(60), np.zeros(60), np.random.default_rng(0)))
    version = StudentVersion(
        kind="head",
        beside={"voice": {"teacher": 1, "name": "phi-4"}, "better": better, "found": 3},
    )
    assert besides.told(Project(soft_rows=True), version).startswith("phi-4 is 100.0 points better")


class Killed(BaseException):
    """As `kill -9`: nothing cleans up behind it."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("place", "name"), [(Distillation, "fit"), (storage, "note")])
def test_a_kill_while_it_learns_or_is_written_leaves_one_version_or_none(
    cast, monkeypatch, place, name
):
    project, truth, _ = pool(cast)
    rival(project, truth, wrong=10)
    job = jobs.enqueue("train", project=project, key=f"train:{project.pk}")

    def kill(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(place, name, kill)
        with pytest.raises(Killed):
            jobs.execute(job.pk)
    assert StudentVersion.objects.filter(kind="head").count() == 0
    Job.objects.filter(state=JobState.RUNNING).update(lease_until="2026-01-01T00Z")
    jobs.execute(job.pk)
    made = StudentVersion.objects.get(kind="head")
    assert made.beside["rows"]
    heads = [p.name for p in students_folder(project.pk).glob("head-*")]
    assert heads == [made.folder]


def teacher_of(project, cast, truth, *, wrong, unread=()):
    """A teacher that answered every item, calibrated on the audited ones."""
    teacher = teachers.create_teacher(project, cast.lea, name="Tess", plugin="zero-shot")
    schema = lending.schema_of(project)
    now, labels = identity.fingerprint(teacher, teacher.params, schema), label_ids(project)
    run = TeacherRun.objects.create(project=project, teacher=teacher, state="done")
    said = np.where(np.arange(400) % wrong == 0, (truth + 1) % 3, truth)
    items = [each for each in project.items.order_by("number") if each.number not in unread]
    words = Annotation.objects.bulk_create(
        Annotation(
            uuid=uuid.uuid4(),
            project=project,
            item=item,
            annotator=teacher.voice,
            stream="active",
            labels=[labels[said[item.number]]],
        )
        for item in items
    )
    TeacherAnswer.objects.bulk_create(
        TeacherAnswer(
            project=project,
            run=run,
            item=item,
            annotation=word,
            labels=word.labels,
            probabilities={str(word.labels[0]): 0.7},
            confidence=0.7,
            fingerprint=now,
        )
        for item, word in zip(items, words, strict=True)
    )
    calibrating.run_calibrate(running(project, "calibrate"))
    return teacher


def only_teacher(project):
    (voice,) = voices.of(project, columns_of(project))
    return voice


@pytest.mark.django_db(transaction=True)
class TestATeacher:
    def test_its_calibrated_words_are_learned_while_it_is_on_and_is_no_echo_to_routing(
        self, cast, asked
    ):
        project, truth, order = pool(cast)
        teacher = teacher_of(project, cast, truth, wrong=12, unread=order[150:160])
        made = train(project)
        assert made.beside["voice"] == {"teacher": teacher.pk, "name": "Tess"}
        assert set(asked[-1]) == set(order[KEPT + LABELLED : -1]) - set(order[150:160])
        assert "soft rows of Tess" in besides.told(project, made)

        project.refresh_from_db()
        rng = np.random.default_rng(0)
        word = student_words.Student.of(
            running(project, "route"), project, made.encoding, [], rng
        ).said(np.array(asked[-1][:5]), tuple(made.label_ids))
        plain = students.load(distilling.plain_folder(made))
        vectors = student_words.open_matrix(made.encoding).view()[asked[-1][:5]]
        np.testing.assert_allclose(word, plain.predict(vectors), atol=1e-5)
        taught = students.load(students_folder(project.pk) / made.folder).predict(vectors)
        assert np.abs(word - taught).max() > 0.05

        teacher.enabled = False
        teacher.save(update_fields=["enabled"])
        assert train(project).beside == {}

    def test_calibrating_it_asks_for_a_head_that_hears_it(self, cast):
        project, truth, _ = pool(cast)
        train(project)
        Job.objects.all().delete()
        teacher_of(project, cast, truth, wrong=10)
        assert Job.objects.filter(kind="train", state="queued").exists()

    def test_a_committee_is_judged_only_where_it_was_not_calibrated(self, cast):
        project, truth, order = pool(cast)
        made, drawn = teacher_of(project, cast, truth, wrong=10), order[:60]
        voice = only_teacher(project)
        assert voice.fair(drawn) == drawn
        voice.teacher.plugin = "committee"
        judged = set(voice.fair(drawn))
        made.plugin = "committee"
        fitted = Calibration.objects.get(teacher=made).answers
        assert (fitted, 15 < len(judged) < 45) == (40, True)
        made.save(update_fields=["plugin"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(identity, "fingerprint", lambda *_: voice.now)
            calibrating.run_calibrate(running(project, "calibrate"))
        assert Calibration.objects.get(teacher=made).answers == 60 - len(judged)

    def test_a_committee_that_asks_the_projects_own_student_teaches_nothing(self, cast):
        project, truth, _ = pool(cast)
        made = teacher_of(project, cast, truth, wrong=10)
        assert only_teacher(project).teacher == made
        other = teachers.create_teacher(project, cast.lea, name="Other", plugin="zero-shot")
        made.members.set([other])
        assert only_teacher(project).teacher == made
        Teacher.objects.filter(pk=other.pk).update(plugin="student", source=project)
        assert voices.of(project, columns_of(project)) == []

    def test_a_label_that_was_added_after_the_lesson_was_read_stops_nothing(self, cast):
        project, truth, order = pool(cast)
        teacher_of(project, cast, truth, wrong=10)
        voice = only_teacher(project)
        fresh = replace(voice.columns, label_ids=voice.columns.label_ids[:2])
        said = replace(voice, columns=fresh).words(order[:5])
        assert said.shape == (5, 2)
        np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-6)

    def test_one_that_is_not_calibrated_yet_teaches_nothing(self, cast):
        project, truth, _ = pool(cast)
        Item.objects.filter(project=project, part=Part.CALIBRATION).update(part="")
        teacher_of(project, cast, truth, wrong=10)
        assert train(project).beside == {}
