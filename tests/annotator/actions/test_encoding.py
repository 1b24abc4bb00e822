"""Items become rows of the matrix, whatever became of their contents."""

import io
import threading

import pytest
from django.db import connection
from PIL import Image

from annotator import jobs
from annotator.actions.encoders import encoding, reading_words
from annotator.actions.imports import media
from annotator.actions.projects import redacting
from annotator.models import Encoding, Item, Job, JobState
from learning.encoders.tfidf import TfidfSvd
from tests.annotator.actions.test_loop import work
from tests.factories import make_items, make_project


@pytest.mark.django_db(transaction=True)
def test_an_image_that_was_redacted_stops_no_encoding(cast):
    project = make_project(cast, item_kind="image", encoder="pixels-pca")
    make_items(project, 6)
    for item in project.items.all():
        file = io.BytesIO()
        Image.new("L", (8, 8), item.number * 30).save(file, "PNG")
        name = media.store_image(project.pk, file.getvalue(), "png")
        Item.objects.filter(pk=item.pk).update(image=name, text="")
    redacting.redact_item(project.items.get(number=2), "a test")
    encoding.wish_encoding(project)
    work()
    assert Encoding.objects.get().rows == 6


@pytest.mark.django_db(transaction=True)
def test_how_far_it_is_can_be_seen_long_before_the_first_thousand_items(cast, monkeypatch):
    project = make_project(cast, encoder="tfidf-svd")
    make_items(project, 300)
    steps = []
    told = jobs.Run.progress

    def noted(run, done, total, message=""):
        steps.append(done)
        told(run, done, total, message)

    monkeypatch.setattr(jobs.Run, "progress", noted)
    encoding.wish_encoding(project)
    work()
    assert [done for done in steps if 0 < done < 300][:2] == [64, 128]
    assert Encoding.objects.get().rows == 300


@pytest.mark.django_db(transaction=True)
def test_of_an_item_that_is_redacted_while_it_is_encoded_no_vector_is_kept(cast, monkeypatch):
    project = make_project(cast, encoder="tfidf-svd")
    make_items(project, ["parcel late", "refund please", "login broken", "parcel lost"] * 5)
    read = encoding.contents

    def redacting_meanwhile(project, start, count):
        found = read(project, start, count)
        if count == encoding.FIRST_CHUNK:  # not where the encoder looks at a sample
            redacting.redact_item(project.items.get(number=2), "lea")
        return found

    monkeypatch.setattr(encoding, "contents", redacting_meanwhile)
    encoding.wish_encoding(project)
    work()
    rows = encoding.open_matrix(Encoding.objects.get()).view()
    assert not rows[2].any()
    assert rows[[0, 1, 3, 6]].any(axis=1).all()


@pytest.mark.django_db(transaction=True)
def test_nor_are_its_words(cast, monkeypatch):
    project = make_project(cast, task_type="spans", encoder="minilm")
    make_items(project, ["parcel late", "refund please", "login broken"])
    read = reading_words.texts_of

    def redacting_meanwhile(project, start, count):
        found = read(project, start, count)
        redacting.redact_item(project.items.get(number=1), "lea")
        return found

    monkeypatch.setattr(reading_words, "texts_of", redacting_meanwhile)
    encoding.wish_encoding(project)
    work()
    words = reading_words.view(Encoding.objects.get())
    known = [words.vectors[words.starts[row] : words.starts[row + 1]].any() for row in range(3)]
    assert known == [True, False, True]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_loses_its_job_meanwhile_leaves_no_vector_of_it_either(cast, monkeypatch):
    project = make_project(cast, encoder="tfidf-svd")
    make_items(project, ["parcel late", "refund please", "login broken", "parcel lost"] * 5)
    encoding.wish_encoding(project)
    job = Job.objects.get(kind="encode")
    lose_at_first(monkeypatch, encoding, "contents")
    jobs.execute(job.pk)
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)
    work()
    job.refresh_from_db()
    assert (job.state, job.attempt) == (JobState.DONE, 2)
    rows = encoding.open_matrix(Encoding.objects.get()).view()
    assert [bool(row.any()) for row in rows[:4]] == [True, True, False, True]


@pytest.mark.django_db(transaction=True)
def test_nor_one_of_its_words(cast, monkeypatch):
    project = make_project(cast, task_type="spans", encoder="minilm")
    make_items(project, ["parcel late", "refund please", "login broken"])
    lose_at_first(monkeypatch, reading_words, "texts_of")
    encoding.wish_encoding(project)
    jobs.execute(Job.objects.get(kind="encode").pk)
    job = Job.objects.get(kind="train")
    jobs.execute(job.pk)
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)
    work()
    job.refresh_from_db()
    assert (job.state, job.attempt) == (JobState.DONE, 2)
    words = reading_words.view(Encoding.objects.get())
    known = [words.vectors[words.starts[row] : words.starts[row + 1]].any() for row in range(3)]
    assert known == [True, True, False]


def lose_at_first(monkeypatch, module, reader):
    """Have item 2 redacted when it was just read, and the worker that read it lose its job before it asks for that."""
    read, asked = getattr(module, reader), module.redacted

    def redacting_meanwhile(project, start, count):
        found = read(project, start, count)
        if count != encoding.SAMPLE:
            redacting.redact_item(project.items.get(number=2), "lea")
        return found

    def lost(*_):
        monkeypatch.setattr(module, "redacted", asked)
        raise jobs.FencedError("Another worker took this job over.")

    monkeypatch.setattr(module, reader, redacting_meanwhile)
    monkeypatch.setattr(module, "redacted", lost)


@pytest.mark.django_db(transaction=True)
def test_who_cancels_while_an_encoder_is_fitted_waits_for_no_end_of_that(cast, monkeypatch):
    project = make_project(cast, encoder="tfidf-svd")
    make_items(project, 4)
    fitting, over = threading.Event(), threading.Event()

    def endless(self, sample):
        fitting.set()
        over.wait(60)

    monkeypatch.setattr(TfidfSvd, "fit", endless)
    encoding.wish_encoding(project)
    job = Job.objects.get(kind="encode")
    worker = threading.Thread(target=lambda: (jobs.execute(job.pk), connection.close()))
    worker.start()
    try:
        assert fitting.wait(30)
        jobs.request_cancel(job)
        worker.join(10)
        job.refresh_from_db()
        assert (job.state, job.message) == (JobState.CANCELLED, "Loading the encoder")
        assert not Encoding.objects.exists()
    finally:
        over.set()
        worker.join(60)
