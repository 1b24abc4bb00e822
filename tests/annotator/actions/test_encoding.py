"""Items become rows of the matrix, whatever became of their contents."""

import io

import pytest
from PIL import Image

from annotator import jobs
from annotator.actions.encoders import encoding
from annotator.actions.imports import media
from annotator.actions.projects import redacting
from annotator.models import Encoding, Item
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
