"""A project of pairs trains a cross-encoder, and the head, which reads vectors, learns what that one says of
pairs that nobody answered."""

import io
import json

import numpy as np
import pytest

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.students import leaving, predictions, training
from annotator.models import Encoding, Item, Part, Project, StudentVersion
from learning import students
from learning.encoders.apart import together
from learning.students.predictions import read_predictions
from tests.annotator.actions.test_finetuning import begin
from tests.annotator.actions.test_predictions import finish
from tests.annotator.audited import answer_all, running
from tests.annotator.web.helpers import encode
from tests.contracts.conftest import models
from tests.factories import make_items, make_project

__all__ = ["models"]

pytestmark = pytest.mark.django_db(transaction=True)

ABOUT = ("refund my money", "the parcel is late", "wrong password")
EVALUATED, SAMPLED, LABELLED = 60, 80, 24  # of the secret order


@pytest.fixture
def project(cast):
    """Items whose second text says what they are about; the first, of two lines, says something else. The
    vectors tell it faintly. Of the sample the evaluation items are answered, behind it some others."""
    made, rng = make_project(cast, item_kind="pair", audit_share=0.1), np.random.default_rng(4)
    truth = rng.integers(0, 3, 300)
    make_items(made, [f"{ABOUT[rng.integers(3)]}\nand item {number}" for number in range(300)])
    items = list(Item.objects.filter(project=made).order_by("number"))
    for item, about, key in zip(items, truth, rng.permutation(300), strict=True):
        item.text_b, item.order_key = f"{ABOUT[about]} please", (key + 1) / 301
    Item.objects.bulk_update(items, ["text_b", "order_key"])
    middles = rng.normal(size=(3, 24))
    middles *= 3 / np.linalg.norm(middles, axis=1, keepdims=True)
    encode(made, middles[truth] + 1.5 * rng.normal(size=(300, 24)))
    Encoding.objects.filter(project=made).update(apart=True)
    labels = list(made.labels.order_by("column").values_list("pk", flat=True))
    order, ana = sorted(items, key=lambda item: item.order_key), assigning.voice_of(made, cast.ana)
    for part, stream, some in (
        (Part.EVALUATION, "audit", order[:EVALUATED]),
        ("", "active", order[SAMPLED : SAMPLED + LABELLED]),
    ):
        answer_all(made, ana, some, [labels[truth[each.number]] for each in some], stream)
        Item.objects.filter(pk__in=[each.pk for each in some]).update(part=part)
    Project.objects.filter(pk=made.pk).update(
        audit_cutoff=order[SAMPLED - 1].order_key, audit_size=SAMPLED
    )
    made.refresh_from_db()
    return made


def test_a_project_of_pairs_trains_a_cross_encoder_and_a_head_that_it_taught(project, models):
    job = begin(project, models, epochs=20, batch=8, learning_rate=3e-3, checkpoint_steps=1_000)
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert not job.error
    crossed = StudentVersion.objects.get(kind="finetune")
    folder = students_folder(project.pk) / crossed.folder
    fitted = students.load(folder)
    assert fitted.pairs
    assert crossed.accuracy > 0.9

    items = list(Item.objects.filter(project=project, number__lt=5).order_by("number"))
    said = fitted.predict([together(item.text, item.text_b) for item in items])
    kept = read_predictions(folder / "pool")
    np.testing.assert_allclose([kept.row(number) for number in range(5)], said, atol=1e-5)

    card = dict(leaving.members(crossed))[f"{leaving.package_of(crossed)}/README.md"].decode()
    assert "a cross-encoder: both texts at once, as two segments" in card
    assert '("a text", "its second")' in card

    made = training.run_train(running(project, "train"))
    head = StudentVersion.objects.get(project=project, number=made["student"])
    assert head.kind == "head"
    assert head.beside["voice"] == {"student": crossed.number, "kind": "finetune"}
    assert head.beside["rows"] == 300 - SAMPLED - LABELLED
    assert head.beside["bought"]["difference"] >= 0
    assert students.load(students_folder(project.pk) / head.folder).own is not None

    rows = [{"a": item.text, "b": item.text_b} for item in items]
    content = "\n".join(json.dumps(row) for row in rows).encode()
    wish = predictions.Wish(text="a", text_b="b", format="jsonl")
    file = predictions.create(
        project, io.BytesIO(content), wish, name="pairs.jsonl", version=crossed
    )
    told = [json.loads(line) for line in finish(file).read_text().splitlines()]
    for row, probabilities in zip(told, said, strict=True):
        assert row["predicted_probability"] == pytest.approx(probabilities.max(), abs=1e-4)
