"""The loop of a project of rankings: people order, a ranker learns, and suggests orders on what is next."""

from uuid import uuid4

import numpy as np
import pytest
from django.urls import reverse

from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.desk.assigning import voice_of
from annotator.actions.encoders import reading_lists
from annotator.actions.encoders.encoding import current_encoding, wish_encoding
from annotator.actions.projects import projects, redacting
from annotator.actions.queue import auditing
from annotator.actions.students import ordering
from annotator.models import (
    Annotation,
    EstimateSource,
    Flag,
    FlagKind,
    Item,
    Pick,
    Project,
    Role,
    StudentVersion,
)
from learning.encoders.word_store import WordStore, dimensions_in
from learning.rankers.scores import tau_b
from tests.annotator.actions.test_loop import work
from tests.factories import join, make_items

pytestmark = pytest.mark.django_db(transaction=True)

# By a rule of the house: cheap before tasty before late.
TEXTS = (
    *(("a cheap ticket for little money", 0), ("low prices and a big discount", 0)),
    *(("a tasty soup with fresh bread", 1), ("the pizza was delicious", 1)),
    *(("the train is late again", 2), ("a long delay at the airport", 2)),
)
GRADE = dict(TEXTS)


def candidates(number):
    rng = np.random.default_rng(number)
    drawn = rng.permutation(len(TEXTS))[: 3 + number % 3]
    return [TEXTS[place][0] for place in drawn]


def truth(item):
    """Best first, equals together."""
    grades = [GRADE[text] for text in item.candidates]
    return [
        [place for place, own in enumerate(grades, 1) if own == grade]
        for grade in sorted(set(grades))
    ]


@pytest.fixture
def project(cast):
    made = projects.create_project(
        cast.lea, "Offers", task_type="ranking", item_kind="list", audit_share=0.2
    )
    join(made, cast.ana, Role.ANNOTATOR)
    join(made, cast.ben, Role.REVIEWER)
    make_items(made, [f"question {number}" for number in range(60)])
    for item in Item.objects.filter(project=made):
        Item.objects.filter(pk=item.pk).update(candidates=candidates(item.number))
    auditing.recut(made)
    wish_encoding(made)
    work()
    return Project.objects.get(pk=made.pk)


def rank(project, user, count, said=truth):
    voice = voice_of(project, user)
    for _ in range(count):
        (lease,) = assigning.lease(project, voice, 1)
        value = {"order": said(lease.item)}
        labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=value)


def test_a_ranker_learns_from_orders_and_suggests_them(cast, project):
    assert not StudentVersion.objects.exists(), "nothing is ranked yet"
    assert Pick.objects.filter(project=project).exists()
    rank(project, cast.ana, 24)
    work()
    version = StudentVersion.objects.get()
    assert (version.kind, version.estimate) == ("order-head", EstimateSource.FOLDS)
    assert version.accuracy == pytest.approx(version.metrics["pairs_right"], abs=1e-5)
    assert version.accuracy > 0.85
    assert version.accuracy_low <= version.accuracy <= version.accuracy_high
    assert version.metrics["tau_b"] > 0.7
    assert Project.objects.get(pk=project.pk).current_student == version
    picks = Pick.objects.filter(project=project).order_by("rank").select_related("item")
    assert all("unsure of the order" in pick.reason for pick in picks)
    for pick in picks:
        named = sorted(one for group in pick.suggestion["order"] for one in group)
        assert named == list(range(1, len(pick.item.candidates) + 1))
    right = [tau_b({"order": truth(pick.item)}, pick.suggestion) for pick in picks]
    assert np.mean(right) > 0.6


def test_a_suggested_order_is_what_is_shown_and_blind_items_show_chance(cast, project):
    rank(project, cast.ana, 24)
    work()
    voice = voice_of(project, cast.ben)
    streams = set()
    for _ in range(12):
        (lease,) = assigning.lease(project, voice, 1)
        streams.add(lease.stream)
        value = {"order": truth(lease.item)}
        said = labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=value)
        if lease.stream == "audit":
            assert lease.suggestion == []
            assert said.blind
        else:
            order = [one for group in lease.suggestion["order"] for one in group]
            assert said.value["shown"] == " ".join(map(str, order))
            assert not said.blind
    assert streams == {"audit", "active"}
    Project.objects.filter(pk=project.pk).update(blind=True)
    blind = Project.objects.get(pk=project.pk)
    (lease,) = assigning.lease(blind, voice, 1)
    value = {"order": truth(lease.item)}
    said = labeling.submit(blind, voice, uuid=uuid4(), assignment_id=lease.pk, value=value)
    assert said.blind


def test_it_is_measured_on_the_audit_sample_and_never_learns_from_it(cast, project, monkeypatch):
    monkeypatch.setattr(auditing, "FEWEST_TO_SHOW", 3)
    Project.objects.filter(pk=project.pk).update(audit_share=0.5)
    project = Project.objects.get(pk=project.pk)
    rank(project, cast.ana, 24)
    work()
    version = StudentVersion.objects.order_by("-number")[0]
    assert version.estimate == EstimateSource.AUDIT
    lists = reading_lists.read(None, current_encoding(project))
    lesson = ordering.gather(project, lists)
    held = set(
        Item.objects.filter(part__in=["evaluation", "calibration"]).values_list("number", flat=True)
    )
    assert held
    assert not held & set(lesson.numbers.tolist())
    assert version.evaluated_on == len(lesson.audited) >= 3


def test_a_second_training_begins_from_the_first_and_a_refill_keeps_suggestions(cast, project):
    rank(project, cast.ana, 12)
    work()
    rank(project, cast.ana, 10)
    work()
    assert StudentVersion.objects.count() == 2
    Pick.objects.all().delete()
    jobs.enqueue("refill", project=project, key="refill")
    work()
    assert all(pick.suggestion["order"] for pick in Pick.objects.filter(project=project))


PAGES = (
    *("progress", "students", "agreement", "explore", "settings", "label", "review", "annotators"),
    *("exports", "teachers", "routing", "students_background", "strategy", "encoder"),
)


def test_every_page_of_a_project_with_a_ranker_opens(cast, client, project):
    rank(project, cast.ana, 16)
    work()
    client.force_login(cast.lea, backend="allauth.account.auth_backends.AuthenticationBackend")
    pages = {name: client.get(reverse(name, args=[project.pk])) for name in PAGES}
    assert {name: page.status_code for name, page in pages.items()} == dict.fromkeys(PAGES, 200)
    told = {name: page.content.decode() for name, page in pages.items()}
    assert "pairs in the right order, cross-validated" in told["progress"]
    assert "of the pairs of candidates in the right order" in told["progress"]
    assert "pairs in the right order" in told["students"]
    assert "Try it" not in told["students"]
    version = StudentVersion.objects.get()
    page = client.get(reverse("student", args=[project.pk, version.number]))
    assert page.status_code == 200
    sent = client.get(reverse("student_download", args=[project.pk, version.number]))
    assert b"learning.rankers.load" in b"".join(sent.streaming_content)
    tried = client.post(reverse("students_try", args=[project.pk]), {"text": "Ask Ben."})
    assert tried.status_code == 409
    assert "put the candidates of their project" in tried.content.decode()


def test_orders_that_look_wrong_are_put_to_reviewers_in_words(cast, project, client):
    wrong = []

    def said(item):
        order = truth(item)
        if Annotation.objects.count() in (20, 30) and len(order) > 1:
            wrong.append(item.pk)
            return order[::-1]
        return order

    rank(project, cast.ana, 44, said)
    work()
    flags = Flag.objects.filter(project=project, kind=FlagKind.DETECTOR).order_by("score")
    assert len(wrong) == 2
    assert {flag.item_id for flag in flags[:2]} == set(wrong)
    assert "the other way round" in flags[0].evidence[0]["words"]
    assert flags[0].evidence[0]["words"].startswith("“")
    assert all(0 <= flag.score <= 1 and flag.scores.keys() == {"orders"} for flag in flags)
    client.force_login(cast.lea, backend="allauth.account.auth_backends.AuthenticationBackend")
    case = reverse("review_item", args=[project.pk, flags[0].item.number])
    assert "the other way round" not in client.get(case).content.decode()
    assert "the other way round" in client.get(case, {"none": "1"}).content.decode()


def test_redacting_an_item_forgets_its_candidates(cast, project):
    rank(project, cast.ana, 2)
    work()
    folder = reading_lists.folder_of(current_encoding(project))
    redacting.redact_item(Item.objects.get(project=project, number=3), "lea")
    rows = WordStore(folder, dimensions_in(folder)).view()
    own = slice(int(rows.starts[3]), int(rows.starts[4]))
    assert own.stop > own.start
    assert not np.asarray(rows.vectors[own]).any()
    assert np.asarray(rows.vectors[: own.start]).any()
