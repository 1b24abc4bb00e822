"""A form's student: a head for each question, and a tagger for what is marked, in one version."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from annotator.actions.desk import assigning
from annotator.actions.desk.assigning import voice_of
from annotator.actions.encoders.encoding import wish_encoding
from annotator.actions.projects import projects
from annotator.actions.queue import queueing
from annotator.actions.queue.choosing import Knowledge
from annotator.actions.review import flagging
from annotator.actions.students import form_tagging, marked_lessons
from annotator.models import Flag, Membership, Pick, Project, Role, StudentVersion
from learning.selection import STRATEGIES
from learning.spans import Span
from learning.taggers.pool import load_tagged, save_tagged
from learning.types import Part, Pool
from tests.annotator.actions.test_form_marks import give
from tests.annotator.actions.test_forms import add, ids
from tests.annotator.actions.test_loop import work
from tests.factories import make_items
from tests.learning.test_forms import question

PRODUCTS = ("kettle", "old lamp", "radio", "phone")
PROBLEMS = ("leaks", "is broken", "smells", "hums")


def text(number):
    if number % 3 == 0:
        return f"{number}: thank you for the quick help and the friendly words."
    return f"{number}: my {PRODUCTS[number % 4]} {PROBLEMS[number // 4 % 4]} since yesterday."


def places(item):
    """The true spans of an item, as `give` takes them."""
    return places_in(item.text)


def places_in(whole):
    return [
        (whole.index(word), whole.index(word) + len(word), name)
        for words, name in ((PRODUCTS, "product"), (PROBLEMS, "problem"))
        for word in words
        if word in whole
    ]


def make(cast, encoder):
    made = projects.create_project(
        cast.lea, "Complaints", task_type="form", encoder=encoder, audit_share=0, overlap=1
    )
    Membership.objects.create(project=made, user=cast.ana, role=Role.ANNOTATOR)
    Membership.objects.create(project=made, user=cast.ben, role=Role.REVIEWER)
    add(made, "Complaint", "yes", "no")
    add(made, "Where", "product", "problem", kind="spans", only_if=[ids(made)["Complaint > yes"]])
    make_items(made, [text(number) for number in range(60)])
    wish_encoding(made)
    work()
    return Project.objects.get(pk=made.pk)


def answer(project, user, count, slips=None):
    """slips: by an item's number what is said of it instead, yes or no and its places."""
    for _ in range(count):
        (lease,) = assigning.lease(project, voice_of(project, user), 1)
        found = places(lease.item)
        right = ("yes" if found else "no", *found)
        said, *marks = (slips or {}).get(lease.item.number, right)
        give(project, user, said, *marks, lease=lease)


@pytest.mark.django_db(transaction=True)
def test_a_tagger_learns_what_is_marked_and_suggests_it_beside_the_labels(cast):
    project = make(cast, "minilm")
    answer(project, cast.ana, 36)
    work()
    project.refresh_from_db()
    version = StudentVersion.objects.get(pk=project.current_student_id)
    assert version.kind == "head"
    assert version.metrics[form_tagging.FIGURE] > 0.5
    known, right, picks = ids(project), 0, Pick.objects.filter(project=project)
    for pick in picks.select_related("item"):
        shares = dict(pick.suggestion["labels"])
        truth = places(pick.item)
        assert shares[known["Complaint > yes" if truth else "Complaint > no"]] >= 0.5
        said = {
            (one["start"], one["end"], one["label"])
            for one in pick.suggestion["spans"]
            if one["probability"] >= 0.5
        }
        wanted = {(start, end, known[f"Where > {name}"]) for start, end, name in truth}
        right += bool(truth) and said == wanted
    asked = sum(bool(places(pick.item)) for pick in picks.select_related("item"))
    assert right > asked / 2


def test_labels_that_are_listed_otherwise_keep_the_spans_that_are_suggested():
    listed = question("where", "spans", (3, 4))
    assert listed.columns == (2, 3)
    moved = replace(listed, labels=(4, 3), columns=(3, 2))
    assert (
        marked_lessons.own_columns(moved).label_ids
        == marked_lessons.own_columns(listed).label_ids
        == (3, 4)
    )
    said = SimpleNamespace(texts=1, spans=lambda row: [(Span(0, 5, 0), 0.9)])
    for columns in (listed.columns, moved.columns):
        part = Part(columns=columns, several=True)
        knowledge = Knowledge(label_ids=[1, 2, 3, 4], parts=(part,), marked={0: said})
        assert [one["label"] for one in queueing._marks(knowledge, 0)] == [3]


@pytest.mark.django_db(transaction=True)
def test_without_words_the_labels_are_learnt_all_the_same(cast):
    project = make(cast, "tfidf-svd")
    answer(project, cast.ana, 30)
    work()
    project.refresh_from_db()
    assert form_tagging.FIGURE not in project.current_student.metrics
    pick = Pick.objects.filter(project=project).first()
    assert isinstance(pick.suggestion, list)


def pool(margins):
    parts = (Part(columns=(0, 1)), Part(columns=(2,), several=True, after=(0,)))
    sure = np.array([[0.95, 0.05, 0.9], [0.9, 0.1, 0.88], [0.02, 0.98, 0.01]], dtype=np.float32)
    return Pool(
        eligible=np.ones(3, dtype=np.bool_),
        labelled=np.zeros(3, dtype=np.bool_),
        probabilities=sure,
        label_names=("yes", "no", "product"),
        multi_label=True,
        parts=parts,
        marked={} if margins is None else {1: np.array(margins, dtype=np.float32)},
    )


def test_the_neediest_item_may_be_one_whose_marks_are_in_doubt():
    neediest, rng = STRATEGIES.create("neediest"), np.random.default_rng(0)
    assert neediest.select(pool(None), 1, rng).rows.tolist() == [1]
    found = neediest.select(pool([0.1, 0.9, 0.0]), 3, rng)
    assert found.rows.tolist() == [0, 1, 2], "hardly a complaint: its marks are hardly asked"
    assert found.reasons[0] == "the student is unsure what to mark (it is 10 % sure)"
    assert found.reasons[1] == "the student says yes (90 %), next no (10 %)"


def test_what_a_tagger_says_is_kept(tmp_path):
    from learning.taggers.types import Tagged

    said = Tagged(
        starts=np.array([0, 1, 1]),
        edges=np.array([[2, 5]]),
        column=np.array([1]),
        probability=np.array([0.75], dtype=np.float32),
        present=np.zeros((2, 2), dtype=np.float32),
        margins=np.array([0.5, 1], dtype=np.float32),
    )
    save_tagged(tmp_path / "said", said)
    again = load_tagged(tmp_path / "said")
    assert [again.spans(row) for row in range(2)] == [said.spans(row) for row in range(2)]
    assert form_tagging.margins(again, 3).tolist() == [0.5, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_an_answer_whose_label_and_marks_contradict_each_other_is_flagged_in_words(cast):
    project = make(cast, "tfidf-svd")
    answer(project, cast.ana, 60, slips={1: ("yes",)})
    work()
    flagging.look_now(project, cast.ben)
    work()
    flag = Flag.objects.get(project=project, kind="detector", item__number=1)
    (told,) = [one for one in flag.evidence if one["detector"] == "contradictions"]
    assert told["words"] == (
        "“Complaint > yes” is given and nothing is marked for “Where”: so it is in 0 of 39 other "
        "answers with that label, and in 20 of 20 without it"
    )
    assert flag.score == pytest.approx(1 / 41, abs=1e-4)
    others = Flag.objects.filter(project=project, kind="detector").exclude(pk=flag.pk)
    assert not others.exists(), "nothing else is wrong"


@pytest.mark.django_db(transaction=True)
def test_a_span_that_stands_elsewhere_is_flagged_with_its_words(cast):
    project = make(cast, "minilm")
    wrong = text(4).index("since yesterday")
    slip = ("yes", (wrong, wrong + len("since yesterday"), "product"), *places_in(text(4))[1:])
    answer(project, cast.ana, 60, slips={4: slip})
    work()
    flagging.look_now(project, cast.ben)
    work()
    flag = Flag.objects.get(project=project, kind="detector", item__number=4)
    assert flag.score == Flag.objects.filter(project=project).earliest("score").score
    told = [one["words"] for one in flag.evidence if one["detector"] == "spans"]
    evidence = Flag.objects.filter(project=project).values_list("evidence", flat=True)
    assert not [one for each in evidence for one in each if "agrees" in one["words"]]
    assert any("“since yesterday” as Where > product is marked" in words for words in told), told
