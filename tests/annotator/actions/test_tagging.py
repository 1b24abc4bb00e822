"""The loop of a project of spans: people mark, a tagger learns, and suggests spans on what is next."""

from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest
from django.urls import reverse

from annotator import jobs
from annotator.actions.desk import assigning, labeling
from annotator.actions.desk.assigning import voice_of
from annotator.actions.encoders import reading_words
from annotator.actions.encoders.encoding import current_encoding, wish_encoding
from annotator.actions.projects import redacting
from annotator.actions.queue import auditing
from annotator.actions.students import marked_lessons, tagging
from annotator.models import (
    Assignment,
    EstimateSource,
    Flag,
    FlagKind,
    Item,
    Job,
    Pick,
    Project,
    StudentVersion,
    Verdict,
)
from learning.encoders.word_store import WordStore, dimensions_in
from learning.spans import Span
from learning.taggers.pool import joined
from learning.taggers.types import Tagged
from tests.annotator.actions.test_loop import work
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("Ana Costa", "Ben", "Cleo", "Dora Lind")
CITIES = ("New York", "Oslo", "Lima", "Rome")


def text(number):
    name, city = NAMES[number % 4], CITIES[number // 4 % 4]
    return f"{number}: please ask {name} whether it rained in {city} today."


@pytest.fixture
def project(cast):
    made = make_project(cast, labels=("Person", "Place"), task_type="spans", audit_share=0.2)
    make_items(made, [text(number) for number in range(48)])
    auditing.recut(made)
    wish_encoding(made)
    work()
    return Project.objects.get(pk=made.pk)


def marked(project, item):
    """The true spans of an item."""
    labels = dict(project.labels.values_list("name", "pk"))
    words = ((NAMES, "Person"), (CITIES, "Place"))
    return {
        "spans": [
            {
                "start": item.text.index(one),
                "end": item.text.index(one) + len(one),
                "label": labels[n],
            }
            for names, n in words
            for one in names
            if one in item.text
        ]
    }


def mark(project, user, count):
    voice = voice_of(project, user)
    for _ in range(count):
        (lease,) = assigning.lease(project, voice, 1)
        value = marked(project, lease.item)
        labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=value)


def test_a_tagger_learns_from_marks_and_suggests_spans(cast, project):
    assert not StudentVersion.objects.exists(), "nothing is marked yet"
    assert Pick.objects.filter(project=project).exists()
    mark(project, cast.ana, 16)
    work()
    version = StudentVersion.objects.get()
    assert (version.kind, version.estimate) == ("token-head", EstimateSource.FOLDS)
    assert version.accuracy == pytest.approx(version.metrics["span_f1"], abs=1e-5)
    assert version.accuracy_low <= version.accuracy <= version.accuracy_high
    assert Project.objects.get(pk=project.pk).current_student == version
    pick = Pick.objects.filter(project=project).order_by("rank")[0]
    assert "sure of the spans" in pick.reason
    suggested = pick.suggestion["spans"]
    assert [set(one) for one in suggested] == [{"start", "end", "label", "probability"}] * 2
    truth = marked(project, pick.item)["spans"]
    assert [one | {"probability": 0} for one in suggested] == [
        one | {"probability": 0} for one in truth
    ]
    assert all(0 < one["probability"] <= 1 for one in suggested)
    lease = assigning.lease(project, voice_of(project, cast.ben), 1)[0]
    kept = Assignment.objects.get(pk=lease.pk)
    assert kept.stream == "audit" or kept.suggestion["spans"]


def test_it_is_measured_on_the_audit_sample_and_never_learns_from_it(cast, project, monkeypatch):
    monkeypatch.setattr(auditing, "FEWEST_TO_SHOW", 3)
    Project.objects.filter(pk=project.pk).update(audit_share=0.5)
    project = Project.objects.get(pk=project.pk)
    mark(project, cast.ana, 18)
    work()
    version = StudentVersion.objects.order_by("-number")[0]
    assert version.estimate == EstimateSource.AUDIT
    assert version.evaluated_on >= 3
    words = reading_words.read(None, current_encoding(project))
    lesson = marked_lessons.gather(project, words)
    held = set(
        Item.objects.filter(part__in=["evaluation", "calibration"]).values_list("number", flat=True)
    )
    assert held
    assert not held & set(lesson.numbers.tolist())
    assert version.evaluated_on == len(lesson.audited)
    assert Verdict.objects.filter(value__isnull=False).count() == 18


def test_audit_items_whose_words_are_not_read_yet_are_left_out_of_the_figure(monkeypatch):
    monkeypatch.setattr(auditing, "FEWEST_TO_SHOW", 1)
    said = joined([], 1)  # of no text so far
    one = Tagged(**{**vars(said), "starts": np.array([0, 0])})
    late = [(0, []), (1, [Span(0, 3, 0)])]
    lesson = SimpleNamespace(audited=late, numbers=np.arange(2))
    figures = tagging.evaluate(None, lesson, None, one, np.random.default_rng(0))
    assert (figures.source, figures.evaluated_on) == (EstimateSource.AUDIT, 1)


def test_long_texts_are_read_fewer_at_once():
    long = "x" * reading_words.CHARACTERS
    assert reading_words.first_of(["ab", "c"]) == ["ab", "c"]
    assert reading_words.first_of(["ab", long, "c"]) == ["ab"]
    assert reading_words.first_of([long + "x", "c"]) == [long + "x"]


def test_a_second_training_begins_from_the_first_and_a_refill_keeps_suggestions(cast, project):
    mark(project, cast.ana, 12)
    work()
    mark(project, cast.ana, 10)
    work()
    assert StudentVersion.objects.count() == 2
    jobs.enqueue("train", project=project, key="train")
    work()
    assert StudentVersion.objects.count() == 2, "nothing was marked since"
    Pick.objects.all().delete()
    jobs.enqueue("refill", project=project, key="refill")
    work()
    assert all(pick.suggestion["spans"] for pick in Pick.objects.filter(project=project))


PAGES = (
    *("progress", "students", "agreement", "explore", "settings", "label", "review", "annotators"),
    *("exports", "teachers", "routing", "students_background", "strategy", "encoder"),
)


def test_every_page_of_a_project_with_a_tagger_opens(cast, client, project):
    mark(project, cast.ana, 16)
    work()
    client.force_login(cast.lea, backend="allauth.account.auth_backends.AuthenticationBackend")
    pages = {name: client.get(reverse(name, args=[project.pk])) for name in PAGES}
    assert {name: page.status_code for name, page in pages.items()} == dict.fromkeys(PAGES, 200)
    assert "F1 of spans, cross-validated" in pages["progress"].content.decode()
    assert "reaches an F1 of spans of" in pages["progress"].content.decode()
    assert "What more answers would bring" in pages["progress"].content.decode()
    assert "F1 of spans" in pages["students"].content.decode()
    assert "Try it" in pages["students"].content.decode()
    version = StudentVersion.objects.get()
    sent = client.get(reverse("student_download", args=[project.pk, version.number]))
    assert sent.status_code == 200
    assert b"".join(sent.streaming_content)


def test_an_encoder_without_words_is_told_and_the_queue_still_fills(cast):
    made = make_project(cast, task_type="spans", encoder="tfidf-svd", audit_share=0)
    make_items(made, [text(number) for number in range(12)])
    wish_encoding(made)
    work()
    trained = Job.objects.filter(kind="train").latest("pk")
    assert trained.result["trained"] is False
    assert "MiniLM" in trained.result["why"]
    assert Pick.objects.filter(project=made).exists()


def test_spans_that_look_wrong_are_put_to_reviewers_in_words(cast, project):
    voice = voice_of(project, cast.ana)
    wrong = {"deleted": None, "edge": None}
    for number in range(40):
        (lease,) = assigning.lease(project, voice, 1)
        value = marked(project, lease.item)
        if number in (20, 30):
            wrong["deleted" if number == 20 else "edge"] = lease.item_id
        if number == 20:
            value["spans"] = value["spans"][1:]
        elif number == 30:
            value["spans"][0]["end"] += len(" whether")
        labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=value)
    work()
    flags = Flag.objects.filter(project=project, kind=FlagKind.DETECTOR).order_by("score")
    assert {flag.item_id for flag in flags[:2]} == set(wrong.values())
    told = {flag.item_id: flag.evidence[0]["words"] for flag in flags[:2]}
    assert "nothing is marked; a student that has not seen" in told[wrong["deleted"]]
    assert "whether” as Person" in told[wrong["edge"]]
    sure = Flag.objects.filter(project=project, score__gt=0.95).first()
    assert all("agrees" in one["words"] for one in sure.evidence)
    assert all(0 <= flag.score <= 1 and flag.scores.keys() == {"spans"} for flag in flags)


def test_redacting_an_item_forgets_its_words(cast, project):
    mark(project, cast.ana, 2)
    work()
    folder = reading_words.folder_of(current_encoding(project))
    item = Item.objects.get(project=project, number=3)
    redacting.redact_item(item, "lea")
    words = WordStore(folder, dimensions_in(folder)).view()
    own = slice(int(words.starts[3]), int(words.starts[4]))
    assert own.stop > own.start
    assert not np.asarray(words.vectors[own]).any()
    assert np.asarray(words.vectors[: own.start]).any()
