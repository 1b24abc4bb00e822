"""Answer sets in a project: calibrated on drawn items alone, taken along by the queue, watched."""

import numpy as np
import pytest

from annotator.actions.desk import assigning, labeling
from annotator.actions.encoders import encoding
from annotator.actions.explore import searching
from annotator.actions.projects import projects
from annotator.actions.students import conforming, sheets, training
from annotator.actions.verdicts import settling
from annotator.errors import InvalidError
from annotator.models import Annotation, Item, Part, Pick, Project, SetCalibration
from annotator.web import sets as told
from annotator.web.label import card_of
from tests.annotator.actions.test_loop import make_pool, work
from tests.annotator.audited import answer, answer_all, running
from tests.annotator.web.helpers import teach
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db
LABELS = ("Billing", "Delivery", "Login", "Refund")


def drawn_project(cast, *, calibration=60, evaluation=80, wrong_later=0, **fields):
    """300 items; those drawn are answered, and a student is right on four fifths of all.

    Its doubt is honest: it says 0.8 of one label and 0.15 of another, which is the true one in most
    of the other cases. On so many evaluation items people say something that it holds for unlikely.
    """
    project = make_project(cast, labels=LABELS, audit_share=0.1, **fields)
    make_items(project, 300)
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 4, 300)
    luck = rng.random(300)
    said = np.where(luck < 0.8, truth, (truth + 3) % 4)
    p = np.full((300, 4), 0.025, dtype=np.float32)
    rows = np.arange(300)
    p[rows, said], p[rows, (said + 1) % 4] = 0.8, 0.15
    p[luck > 0.95] = 0.25
    p += 1e-3 * rng.random((300, 4), dtype=np.float32)
    p /= p.sum(axis=1, keepdims=True)
    order = list(Item.objects.filter(project=project).order_by("order_key"))
    parts = [Part.CALIBRATION] * calibration + [Part.EVALUATION] * evaluation
    drawn = order[: len(parts)]
    ids = list(project.labels.order_by("column").values_list("pk", flat=True))
    given = [ids[truth[item.number]] for item in drawn]
    for place in range(calibration, calibration + wrong_later):
        given[place] = ids[int(p[drawn[place].number].argmin())]
    for part in set(parts):
        numbers = [item.pk for item, each in zip(drawn, parts, strict=True) if each == part]
        Item.objects.filter(pk__in=numbers).update(part=part)
    answer_all(project, assigning.voice_of(project, cast.ana), drawn, given)
    Project.objects.filter(pk=project.pk).update(audit_cutoff=drawn[-1].order_key)
    project.refresh_from_db()
    teach(project, p)
    return project, p


def calibrated(project):
    predictions = searching.predictions_of(project)
    return conforming.calibrate(
        running(project, "train"), project.current_student, predictions, held=[]
    )


def refill(project):
    training.run_refill(running(project, "refill"))
    return Pick.objects.filter(project=project).order_by("rank")


def test_a_promise_is_made_and_its_coverage_watched_on_other_answers(cast):
    project, _ = drawn_project(cast)
    kept = calibrated(project)
    assert (kept.items, kept.method, kept.coverage) == (60, "lac", 0.9)
    low, high = kept.figures["band"]
    assert 0.8 <= low < 0.9 < high < 1
    held = kept.figures["held"]
    assert held["n"] == 80
    assert held["low"] < 0.9 < held["high"]
    assert 1 < kept.figures["size"] < 2.5
    assert told.warnings(kept) == []


def test_too_few_calibration_answers_are_told_and_nothing_is_promised(cast):
    project, _ = drawn_project(cast, calibration=31, evaluation=60)
    kept = calibrated(project)
    assert kept.thresholds is None
    assert told.context(project)["sets"].missing == kept.figures["needed"] - 31 == 10
    project.strategy = "set-size"
    project.save(update_fields=["strategy"])
    picks = refill(project)
    assert {pick.label_set for pick in picks} == {None}
    assert "has to wait" in picks[0].reason
    assert conforming.ready(project.current_student) is None


def test_evaluation_and_active_answers_never_calibrate(cast):
    project, _ = drawn_project(cast, calibration=41)
    before = calibrated(project)
    others = Item.objects.filter(project=project, part="")[:30]
    label = project.labels.first().pk
    answer_all(project, assigning.voice_of(project, cast.ben), list(others), [label] * 30, "active")
    after = calibrated(project)
    assert (after.items, after.thresholds) == (before.items, before.thresholds)


def test_what_the_student_may_have_learned_from_is_left_out(cast):
    project, _ = drawn_project(cast)
    met = Item.objects.filter(project=project, part=Part.CALIBRATION).first()
    (same,) = Annotation.objects.get(item=met).labels
    answer(project, assigning.voice_of(project, cast.ben), met, same, "active")
    version = project.current_student
    version.position = 10_000  # it learned from all that was said
    version.save(update_fields=["position"])
    assert calibrated(project).items == 59
    predictions = searching.predictions_of(project)
    run = running(project, "train")
    assert conforming.calibrate(run, version, predictions, held=[met.number]).items == 60


def test_the_queue_carries_sets_that_a_page_and_the_ledger_of_leases_keep(cast):
    project, p = drawn_project(cast)
    calibrated(project)
    picks = refill(project).select_related("item")
    assert picks
    ids = project.current_student.label_ids
    threshold = SetCalibration.objects.get().thresholds["thresholds"][0]
    for pick in picks:
        expected = {ids[c] for c in np.flatnonzero(1 - p[pick.item.number] <= threshold + 1e-6)}
        if pick.label_set is None:  # nothing fits, or everything does
            assert len(expected) in (0, 4)
            continue
        assert set(pick.label_set["maybe"]) == expected
        assert pick.set_size == len(expected)
        assert pick.label_set["coverage"] == 0.9
        assert pick.label_set["maybe"][0] == pick.suggestion[0][0], "likeliest first"
    Pick.objects.filter(label_set=None).delete()
    (lease,) = assigning.lease(project, assigning.voice_of(project, cast.ben), 1)
    assert lease.stream in {"active", "audit"}
    if lease.stream == "audit":
        (lease,) = assigning.lease(project, assigning.voice_of(project, cast.ben), 1)
    lease.refresh_from_db()
    assert lease.label_set["maybe"]
    assert lease.set_size == len(lease.label_set["maybe"])
    assert '"maybe"' in card_of(project, lease).label_set


def test_the_largest_sets_are_asked_first(cast):
    project, _ = drawn_project(cast, strategy="set-size")
    picks = list(refill(project))
    sizes = [each.set_size for each in picks if each.set_size]
    assert len(set(sizes)) > 1
    assert sizes == sorted(sizes, reverse=True)
    assert "labels hold at the promised coverage" in picks[-1].reason


def test_a_blind_answer_is_never_shown_a_set(cast):
    project, _ = drawn_project(cast)
    calibrated(project)
    refill(project)
    ben = assigning.voice_of(project, cast.ben)
    leases = assigning.lease(project, ben, 3)
    for lease in leases:
        if lease.stream == "audit":
            assert lease.label_set is None
    shown = next(each for each in leases if each.stream == "active")
    shown.label_set = {"coverage": 0.9, "sure": [], "maybe": [1]}
    assert card_of(project, shown).label_set
    project.blind = True
    assert card_of(project, shown).label_set == ""
    project.blind, shown.stream = False, "audit"
    assert card_of(project, shown).label_set == ""


def test_another_coverage_calibrates_anew_and_off_takes_the_sets_away(cast):
    project, _ = drawn_project(cast)
    lower = calibrated(project).thresholds
    projects.change_project(project, set_coverage=0.99)
    sets = conforming.follow(
        running(project, "refill"), project.current_student, searching.predictions_of(project)
    )
    assert sets is None, "60 items are too few for 99 %"
    projects.change_project(project, set_coverage=0.95, set_method="aps")
    refill(project)
    kept = SetCalibration.objects.get()
    assert (kept.coverage, kept.method) == (0.95, "aps")
    assert kept.thresholds["thresholds"][0] > lower["thresholds"][0]
    projects.change_project(project, answer_sets=False)
    assert {pick.label_set for pick in refill(project)} == {None}
    assert not SetCalibration.objects.exists()


@pytest.mark.parametrize(
    ("settings", "field"),
    [({"set_coverage": 0.999}, "set_coverage"), ({"set_method": "label-powerset"}, "set_method")],
)
def test_a_promise_or_method_that_does_not_fit_is_refused(cast, settings, field):
    project = make_project(cast)
    with pytest.raises(InvalidError) as refusal:
        projects.change_project(project, **settings)
    assert refusal.value.data["field"] == field


def test_a_warning_when_later_answers_fall_out_of_their_sets(cast):
    project, _ = drawn_project(cast, wrong_later=40)
    kept = calibrated(project)
    assert kept.figures["luck"] < 0.001
    (warning,) = told.warnings(kept)
    assert "later answers were in their set" in warning
    assert "fewer than 1 of 1,000 cases" in warning


def test_labels_younger_than_the_student_are_outside_of_its_sets(cast):
    project, _ = drawn_project(cast)
    fresh = project.labels.create(column=4, key="new", name="New", position=4)
    item = Item.objects.filter(project=project, part=Part.CALIBRATION).first()
    answer(project, assigning.voice_of(project, cast.ben), item, fresh.pk, "review")
    kept = calibrated(project)
    assert (kept.items, len(kept.thresholds["thresholds"])) == (60, 5)
    refill(project)
    assert all(
        fresh.pk not in (pick.label_set or {"maybe": []})["maybe"] for pick in refill(project)
    )


def test_several_labels_are_certain_undecided_or_ruled_out(cast):
    project = make_project(cast, task_type="multi", audit_share=0.1)
    make_items(project, 200)
    rng = np.random.default_rng(1)
    p = rng.choice([0.01, 0.5, 0.99], size=(200, 3), p=[0.5, 0.2, 0.3]).astype(np.float32)
    truth = rng.random((200, 3)) < p
    order = list(Item.objects.filter(project=project).order_by("order_key")[:100])
    ids = list(project.labels.order_by("column").values_list("pk", flat=True))
    voice = assigning.voice_of(project, cast.ana)
    Annotation.objects.bulk_create(
        Annotation(
            uuid=f"00000000-0000-4000-8000-{item.pk:012}",
            project=project,
            item=item,
            annotator=voice,
            stream="audit",
            labels=[ids[column] for column in np.flatnonzero(truth[item.number])],
        )
        for item in order
    )
    Item.objects.filter(pk__in=[item.pk for item in order]).update(
        answers=1, open=False, part=Part.CALIBRATION
    )
    Item.objects.filter(pk__in=[item.pk for item in order[60:]]).update(part=Part.EVALUATION)
    Project.objects.filter(pk=project.pk).update(audit_cutoff=order[-1].order_key)
    project.refresh_from_db()
    settling.settle_now(project)
    teach(project, p)
    kept = calibrated(project)
    assert (kept.method, kept.items) == ("inner-outer", 60)
    sets = [pick.label_set for pick in refill(project) if pick.label_set]
    assert any(each["sure"] for each in sets)
    assert any(each["maybe"] for each in sets)
    for pick in refill(project).select_related("item"):
        if pick.label_set:
            row = p[pick.item.number]
            assert all(row[ids.index(label)] > 0.9 for label in pick.label_set["sure"])
            assert pick.set_size == len(pick.label_set["maybe"])


@pytest.mark.django_db(transaction=True)
def test_training_calibrates_and_its_sheet_knows_what_was_held_back(cast):
    project, truth, _ = make_pool(cast, 66, audit_share=1.0, audit_size=60)
    voice = assigning.voice_of(project, cast.ana)
    names = dict(project.labels.values_list("name", "pk"))
    encoding.wish_encoding(project)
    work()
    for _ in range(60):
        (lease,) = assigning.lease(project, voice, 1)
        labeling.submit(
            project,
            voice,
            uuid=f"00000000-0000-4000-9000-{lease.pk:012}",
            assignment_id=lease.pk,
            labels=[names[truth[lease.item_id]]],
        )
    work()
    project.refresh_from_db()
    kept = SetCalibration.objects.get(version=project.current_student)
    answered = Item.objects.filter(project=project, part=Part.CALIBRATION, answers=1).count()
    assert kept.items == answered == 15
    held = set(sheets.of(project.current_student).held)
    numbers = Item.objects.filter(project=project, part=Part.CALIBRATION, answers=1)
    assert set(numbers.values_list("number", flat=True)) <= held
