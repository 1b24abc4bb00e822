"""Which student serves: the rule in a project, its records, and kills in the midst of a training."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.students import (
    conforming,
    evaluating,
    pools,
    promoting,
    sheets,
    version_files,
)
from annotator.errors import ConflictError
from annotator.models import (
    AuditSheet,
    Encoding,
    Item,
    Job,
    JobState,
    Part,
    PredictedFile,
    Project,
    Promotion,
    StudentVersion,
)
from annotator.web import promotions
from learning.students import predictions as predicting
from learning.students.head import Head
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.annotator.audited import answer_all, audited_project, predictions, running, version


def student(project, truth, number, wrong, *, kind="head", first=0):
    """A version that is wrong about the drawn items from `first` on, `wrong` of them."""
    order = Item.objects.filter(project=project).order_by("order_key")
    said = truth.copy()
    for place in order.values_list("number", flat=True)[first : first + wrong]:
        said[place] = (said[place] + 1) % 3
    made = version(project, number, 40 + number)
    StudentVersion.objects.filter(pk=made.pk).update(kind=kind)
    made.refresh_from_db()
    sheets.write(running(project, "train"), made, predictions(said), [])
    return made


# Which encoder's vectors three versions read, their numbers, and how often each is wrong.
READ_BY = {"minilm": (1, 20), "tfidf-svd": (2, 23), "minilm anew": (3, 23)}


def read_by(version, matrix):
    """Let a version read the vectors of an encoder, the first word of what names the matrix."""
    version.encoding, _ = Encoding.objects.get_or_create(
        project=version.project, encoder=matrix.split()[0], fingerprint=matrix, dimensions=2
    )
    version.save(update_fields=["encoding"])


def able_to_serve(made):
    """The version, with files that it can serve by."""
    folder = encoding.students_folder(made.project_id) / made.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text("{}")
    return made


def serve(project, made):
    project.current_student = made
    project.save(update_fields=["current_student"])
    return made


@pytest.mark.django_db
class TestRule:
    def test_a_refit_takes_over_unless_it_is_surely_worse(self, cast):
        project, truth, _ = audited_project(cast)
        first = student(project, truth, 1, 20)
        assert promotions.told(promoting.decide(project, first)) == "took over as the first student"
        little = promoting.decide(project, student(project, truth, 2, 23))
        assert (little.took_over, little.against) == (True, first.number)
        assert "took over with more labels" in promotions.told(little)
        assert "stayed out" not in promotions.told(little)
        much = promoting.decide(project, student(project, truth, 3, 50))
        assert (much.took_over, much.figures["losses"], much.figures["wins"]) == (False, 27, 0)
        assert Project.objects.get(pk=project.pk).current_student.number == 2
        assert promotions.told(little).startswith(
            "took over with more labels, not being surely worse: 3.0"
        )
        assert promotions.told(much).startswith("stayed out, being surely worse: 27.0 points worse")

    def test_another_recipe_has_to_win_and_is_tested_again_after_50_answers_only(self, cast):
        project, truth, order = audited_project(cast)
        current = serve(project, student(project, truth, 1, 20))
        other = student(project, truth, 2, 18, kind="finetune")
        lost = promoting.decide(project, other)
        assert (lost.took_over, lost.rule) == (False, "challenge")
        assert promoting.decide(project, other) is None, "nothing new was answered"
        assert "50 more evaluation answers" in promotions.waits_for(project, other, current)
        better = student(project, truth, 3, 0, kind="finetune")
        assert promoting.decide(project, better) is None, "a newer version is the same recipe"
        self.answer_more(project, cast, truth, order)
        won = promoting.decide(project, better)
        assert (won.took_over, won.figures["n"], won.figures["wins"]) == (True, 150, 20)
        assert won.figures["p_better"] < won.figures["alpha"]
        assert "won and took over" in promotions.told(won)

    def answer_more(self, project, cast, truth, order):
        """50 more of the secret order are drawn and answered."""
        labels = list(project.labels.order_by("column").values_list("pk", flat=True))
        items = list(Item.objects.filter(project=project).order_by("order_key")[100:150])
        voice = assigning.voice_of(project, cast.ana)
        answer_all(project, voice, items, [labels[truth[item.number]] for item in items])
        Item.objects.filter(pk__in=[item.pk for item in items]).update(part=Part.EVALUATION)
        StudentVersion.objects.filter(project=project).update(position=0)
        for sheet in AuditSheet.objects.filter(project=project):
            known = dict(zip(sheet.numbers, sheet.said, strict=True))
            sheet.numbers = [*sheet.numbers, *(item.number for item in items)]
            sheet.said = [known.get(n, [labels[truth[n]]]) for n in sheet.numbers]
            sheet.doubts = [0.1] * len(sheet.numbers)
            sheet.save()

    def test_the_same_student_on_another_encoder_has_to_win_too(self, cast):
        project, truth, _ = audited_project(cast)
        first, other, again = (student(project, truth, n, wrong) for n, wrong in READ_BY.values())
        for made, name in zip((first, other, again), READ_BY, strict=True):
            read_by(made, name)
        serve(project, first)
        assert promoting.decide(project, other).rule == "challenge"
        assert Project.objects.get(pk=project.pk).current_student == first
        refit = promoting.decide(project, again)
        assert (refit.rule, refit.took_over) == ("refit", True), "only its matrix is another"
        assert promoting.challengers(project, again) == [other]

    def test_a_curve_is_of_one_encoder(self, cast):
        project, truth, order = audited_project(cast)
        made = [student(project, truth, n, 20) for n in range(1, 5)]
        for each, name in zip(made, ("minilm", "minilm", "tfidf-svd", "tfidf-svd"), strict=True):
            read_by(each, name)
        found = sheets.judged(project, made[3], [(order[0], made[3].label_ids[:1])])
        assert found.versions == made[2:]

    def test_who_was_chosen_by_hand_learns_on_and_other_recipes_wait(self, cast):
        project, truth, _ = audited_project(cast)
        promoting.promote(project, able_to_serve(student(project, truth, 1, 40)), by=cast.lea)
        project.refresh_from_db()
        made = Promotion.objects.get()
        assert (made.rule, made.made_by, made.number) == ("hand", cast.lea, 1)
        assert promoting.decide(project, student(project, truth, 2, 0, kind="finetune")) is None
        refit = promoting.decide(project, student(project, truth, 3, 40))
        assert (refit.rule, refit.took_over) == ("refit", True)
        assert promoting.decide(project, student(project, truth, 4, 0, kind="finetune")) is None

    def test_who_was_gone_back_to_stays_as_it_is_and_it_is_written_down(self, cast):
        project, truth, _ = audited_project(cast)
        one = able_to_serve(student(project, truth, 1, 40))
        serve(project, student(project, truth, 2, 40))
        promoting.promote(project, one, by=cast.lea)
        project.refresh_from_db()
        assert promoting.decide(project, student(project, truth, 3, 0)) is None
        made = Promotion.objects.get()
        assert (made.rule, made.made_by, made.number) == ("back", cast.lea, 1)
        assert "gone back to by lea" in promotions.told(made)
        promoting.unpin(project)
        project.refresh_from_db()
        assert promoting.decide(project, student(project, truth, 4, 0)).took_over

    def test_a_second_click_on_a_promotion_changes_nothing(self, cast):
        project, truth, _ = audited_project(cast)
        one, other = (able_to_serve(student(project, truth, number, 40)) for number in (1, 2))
        serve(project, other)
        for chosen in (one, one, other, other, other):
            promoting.promote(project, chosen, by=cast.lea)
        made = Promotion.objects.order_by("id")
        assert list(made.values_list("number", "rule", "against")) == [
            (1, "back", 2),
            (2, "hand", 1),
        ]
        promoting.unpin(project)
        promoting.promote(project, other, by=cast.lea)
        assert made.count() == 3, "newer ones could have taken over meanwhile"

    @pytest.mark.parametrize(("chosen", "rule"), [(1, "back"), (2, "hand")])
    def test_whoever_went_back_before_that_was_written_down_keeps_the_version(
        self, cast, chosen, rule
    ):
        project, truth, _ = audited_project(cast)
        made = [able_to_serve(student(project, truth, n, 40)) for n in (1, 2)]
        promoting.promote(project, made[chosen - 1], by=cast.lea)
        Promotion.objects.update(rule="hand")
        student(project, truth, 3, 40)
        import_module("annotator.migrations.0023_went_back").went_back(apps, None)
        assert Promotion.objects.get().rule == rule

    def test_a_challenger_that_never_served_is_not_gone_back_to(self, cast):
        project, truth, _ = audited_project(cast)
        serve(project, student(project, truth, 1, 40))
        older = able_to_serve(student(project, truth, 2, 40, kind="finetune"))
        student(project, truth, 3, 40, kind="finetune")
        promoting.promote(project, older, by=cast.lea)
        assert Promotion.objects.get().rule == "hand"

    def test_a_winner_is_found_when_the_answers_come_after_its_training(self, cast):
        project, truth, _ = audited_project(cast)
        serve(project, student(project, truth, 1, 30))
        other = student(project, truth, 2, 5, kind="finetune")
        assert promoting.reconsider(running(project, "train")) == other
        assert Job.objects.filter(kind="refill").exists()
        assert promoting.reconsider(running(project, "train")) is None


@pytest.mark.django_db
def test_files_stay_while_their_student_labels_a_file_and_none_serves_without_them(cast):
    project, truth, _ = audited_project(cast)
    made = [student(project, truth, number, 5) for number in range(1, 9)]
    serve(project, made[0])
    PredictedFile.objects.create(project=project, student=made[1], state="running")
    PredictedFile.objects.create(project=project, student=made[2], state="done")
    for each in made:
        folder = encoding.students_folder(project.pk) / each.folder
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
    version_files.forget_old(project)
    kept = StudentVersion.objects.exclude(folder="").order_by("number")
    assert list(kept.values_list("number", flat=True)) == [1, 2, 4, 5, 6, 7, 8]
    left = {path.name for path in encoding.students_folder(project.pk).iterdir()}
    assert left == set(kept.values_list("folder", flat=True))
    with pytest.raises(ConflictError, match="removed to save space"):
        promoting.promote(project, made[2])  # as it was read before its files went
    assert Project.objects.get(pk=project.pk).current_student == made[0]


@pytest.mark.django_db
def test_a_promotion_that_dies_before_the_queue_was_told_is_none(cast, monkeypatch):
    project, _, _ = audited_project(cast)
    made = [with_files(project, number) for number in (1, 2)]
    promoting.promote(project, made[0])

    def killed(*_, **__):
        raise Killed

    monkeypatch.setattr(promoting.jobs, "enqueue", killed)
    with pytest.raises(Killed):
        promoting.promote(project, made[1])
    assert Project.objects.get(pk=project.pk).current_student == made[0]
    assert Promotion.objects.count() == 1


def with_files(project, number, *, bytes=100, **fields):
    """A version with a model of so many bytes, and what it says of the pool."""
    made = version(project, number, 40)
    StudentVersion.objects.filter(pk=made.pk).update(**fields)
    folder = version_files.folder_of(made)
    (folder / "pool").mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"0" * bytes)
    (folder / "pool" / "manifest.json").write_text("{}")
    (folder / "pool" / "margins.bin").write_bytes(b"0" * 10_000)
    return made


@pytest.mark.django_db
def test_who_ever_served_can_be_returned_to_and_only_what_it_said_of_the_pool_goes(cast):
    project, _, _ = audited_project(cast)
    served = timezone.now()
    made = [
        with_files(project, n, promoted_at=served if n in (1, 3) else None) for n in range(1, 9)
    ]
    tuned = [with_files(project, n, kind="finetune", promoted_at=served) for n in range(9, 13)]
    version_files.forget_old(project)
    kept = StudentVersion.objects.exclude(folder="").order_by("number")
    assert list(kept.values_list("number", flat=True)) == [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert [each.number for each in kept if not pools.is_whole(each)] == [1, 3, 9, 10]
    promoting.promote(project, made[0])
    assert Project.objects.get(pk=project.pk).current_student == made[0]
    with pytest.raises(ConflictError, match="removed to save space"):
        promoting.promote(project, made[1])
    assert tuned[0] in kept


@pytest.mark.django_db
def test_of_those_that_served_the_newest_stay_while_there_is_room(cast, monkeypatch):
    project, _, _ = audited_project(cast)
    sizes = {1: 50, 2: 500, 3: 300, 4: 500}
    for number in range(1, 10):
        with_files(project, number, bytes=sizes.get(number, 500), promoted_at=timezone.now())
    monkeypatch.setattr(version_files, "SERVED_BYTES", 900)
    version_files.forget_old(project)
    kept = StudentVersion.objects.exclude(folder="").order_by("number")
    assert list(kept.values_list("number", flat=True)) == [1, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.django_db
def test_files_are_looked_up_together_however_many_are_kept(cast):
    project, _, _ = audited_project(cast)

    def queries(numbers):
        for number in numbers:
            folder = version_files.folder_of(
                with_files(project, number, promoted_at=timezone.now())
            )
            StudentVersion.objects.filter(number=number).update(folder=f"head-{number}-1")
            folder.rename(folder.with_name(f"head-{number}-1"))
        with CaptureQueriesContext(connection) as asked:
            version_files.forget_old(project)
        return len(asked)

    assert queries(range(1, 4)) == queries(range(4, 12))
    assert StudentVersion.objects.exclude(folder="").count() == 11


class Killed(BaseException):
    """As `kill -9`: nothing cleans up behind it."""


def kill(*_, **__):
    raise Killed


def write_and_die(*args, **kwargs):
    predicting.write_probabilities(*args[:1], [args[1].predict(args[2][:4])], 3, multi_label=False)
    raise Killed


PHASES = {
    "fit": (Head, "fit", kill),
    "predict": (predicting, "write_predictions", write_and_die),
    "evaluate": (evaluating, "evaluate", kill),
    "publish": (promoting, "decide", kill),
    "behind": (conforming, "calibrate", kill),
}


@pytest.mark.django_db(transaction=True)
def test_a_kill_at_any_phase_leaves_one_version_or_none(cast, monkeypatch):
    project, truth, _ = make_pool(cast, 24, audit_share=0)
    encoding.wish_encoding(project)
    work()
    voice = assigning.voice_of(project, cast.ana)
    for count, (phase, (place, name, fault)) in enumerate(PHASES.items(), start=1):
        label_some(project, voice, truth, 4)
        before = StudentVersion.objects.count()
        with monkeypatch.context() as patch:
            patch.setattr(place, name, fault)
            with pytest.raises(Killed):
                work()
        assert StudentVersion.objects.count() - before == (phase == "behind")
        assert AuditSheet.objects.count() == StudentVersion.objects.count()
        Job.objects.filter(state=JobState.RUNNING).update(lease_until=timezone.now())
        jobs.execute(Job.objects.get(state=JobState.RUNNING).pk)
        work()
        newest = StudentVersion.objects.latest("number")
        assert (StudentVersion.objects.count(), newest.number) == (count, count), phase
        project.refresh_from_db()
        assert project.current_student == newest
    left = {path.name for path in encoding.students_folder(project.pk).iterdir()}
    assert left == set(StudentVersion.objects.values_list("folder", flat=True))
    assert len(left) == version_files.KEPT_FILES == len(PHASES)


@pytest.mark.django_db
def test_what_was_said_of_the_pool_goes_at_once_and_the_next_removal_ends_one_that_was_killed(
    cast, monkeypatch
):
    project, _, _ = audited_project(cast)
    made = [with_files(project, n, promoted_at=timezone.now()) for n in range(1, 8)]

    def killed(*_, **__):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(version_files.shutil, "rmtree", killed)
        with pytest.raises(Killed):
            version_files.forget_old(project)
    assert [each.number for each in made if not pools.is_whole(each)] == [1, 2]
    version_files.forget_old(project)
    left = {path.name for path in version_files.folder_of(made[0]).iterdir()}
    assert left == {"manifest.json", "model.safetensors"}
