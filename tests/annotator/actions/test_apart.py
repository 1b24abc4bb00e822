"""Items of two texts are read apart; a project that read them as one serves on until that is done."""

from uuid import uuid4

import numpy as np
import pytest

from annotator.actions.desk import assigning, labeling
from annotator.actions.desk.assigning import voice_of
from annotator.actions.encoders import encoding as encodings
from annotator.actions.encoders.encoding import current_encoding, open_matrix, wish_encoding
from annotator.models import Encoding, Item, Job, Project, StudentVersion
from learning import students
from learning.encoders.minilm import MiniLM
from tests.annotator.actions.test_loop import work
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)

THINGS = ("red kettle", "garden chair", "paper lamp", "steel knife", "wool scarf", "oak table")


@pytest.fixture
def project(cast):
    made = make_project(cast, labels=("same", "different"), item_kind="pair", audit_share=0)
    make_items(made, [f"the {THINGS[n % 6]}, model {n % 9}" for n in range(48)])
    for item in Item.objects.filter(project=made):
        other = item.number if item.number % 2 else item.number + 1 + item.number % 4
        text = f"{THINGS[other % 6]} (new), model {other % 9}"
        Item.objects.filter(pk=item.pk).update(text_b=text)
    return made


def label(project, user, count):
    voice, names = voice_of(project, user), dict(project.labels.values_list("name", "pk"))
    for _ in range(count):
        (lease,) = assigning.lease(project, voice, 1)
        name = "same" if lease.item.number % 2 else "different"
        labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, labels=[names[name]])


def test_both_texts_are_encoded_apart_and_the_head_reads_what_they_share(cast, project):
    wish_encoding(project)
    work()
    found = current_encoding(project)
    assert (found.apart, found.dimensions, found.rows) == (True, 768, 48)
    item = Item.objects.get(project=project, number=3)
    alone = MiniLM().fit().encode([item.text, item.text_b])
    row = np.asarray(open_matrix(found).view()[3], dtype=np.float32)
    np.testing.assert_allclose(row, np.hstack(alone) / np.sqrt(2), atol=2e-3)
    label(project, cast.ana, 24)
    work()
    version = StudentVersion.objects.get()
    fitted = encodings.students_folder(project.pk) / version.folder
    assert students.load(fitted).own == 1, "too few answers to choose by"
    assert version.encoding == found


def test_a_matrix_that_reads_texts_as_one_serves_until_the_new_one_is_whole(
    cast, project, monkeypatch
):
    with monkeypatch.context() as before:
        before.setattr(encodings, "_reads_apart", lambda project: False)
        wish_encoding(project)
        work()
        label(project, cast.ana, 12)
        work()
    old = Encoding.objects.get()
    first = StudentVersion.objects.get()
    assert not old.apart
    assert current_encoding(project) == old
    label(project, cast.ana, 6)
    Job.objects.filter(kind="encode").delete()
    done = work()
    assert "encode" in done
    new = current_encoding(project)
    assert (new.apart, new.rows) == (True, 48)
    assert old.rows == 48, "nothing of the old one is lost"
    latest = StudentVersion.objects.order_by("-number")[0]
    assert (first.encoding, latest.encoding) == (old, new)
    assert Project.objects.get(pk=project.pk).current_student == latest
    half = Encoding.objects.filter(pk=new.pk)
    half.update(rows=20)
    assert current_encoding(project) == old
    assert encodings.ready_encoder(project).dimensions == old.dimensions
