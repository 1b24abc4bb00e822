"""What the labels are called reaches students: encoded beside the items, and anew when it changes."""

import numpy as np
import pytest

from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding, naming
from annotator.actions.projects import schema
from annotator.actions.projects.schema import columns_of
from annotator.actions.students import lessons
from annotator.models import Encoding, Job, Verdict
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.factories import make_project


@pytest.fixture
def pool(cast):
    project, truth, _ = make_pool(cast)
    encoding.wish_encoding(project)
    work()
    return project, truth, Encoding.objects.get(project=project)


@pytest.mark.django_db(transaction=True)
class TestNaming:
    def test_labels_are_encoded_with_the_items_and_taught(self, pool):
        project, truth, matrix = pool
        vectors = naming.of(project, matrix, columns_of(project))
        assert vectors.shape == (len(columns_of(project)), matrix.dimensions)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
        for item in project.items.all()[:6]:
            label = project.labels.get(name=truth[item.pk])
            Verdict.objects.create(
                project=project,
                item=item,
                state="decided",
                labels=[label.pk],
                soft={str(label.pk): 1.0},
                source="people",
                position=1,
            )
        lesson = lessons.gather(project, matrix)
        np.testing.assert_array_equal(lesson.data.label_vectors, vectors)
        assert not lesson.data.ordered
        project.task_type = "rating"
        assert lessons.gather(project, matrix).data.ordered, "grades are taught as grades"

    def test_a_label_that_changed_waits_for_its_vector_and_training_asks_for_it(self, pool):
        project, _, matrix = pool
        columns = columns_of(project)
        before = naming.of(project, matrix, columns)
        label = project.labels.get(name="Delivery")
        schema.change_label(label, name="Delivery", description="late parcel courier", hotkey="")
        place = columns.column(label.pk)
        waiting = naming.of(project, matrix, columns)
        assert not waiting[place].any(), "nothing is taught under an older meaning"
        others = np.arange(len(columns)) != place
        np.testing.assert_array_equal(waiting[others], before[others])
        assert naming.behind(project, matrix)
        Job.objects.all().delete()
        encoding.jobs.enqueue("train", project=project, key="train")
        assert work()[:3] == ["train", "encode", "train"]
        assert not naming.behind(project, matrix)
        after = naming.of(project, matrix, columns)
        assert after[place].any()
        assert not np.array_equal(after[place], before[place])

    def test_an_archived_label_has_no_vector_and_keeps_nobody_waiting(self, pool):
        project, _, matrix = pool
        label = project.labels.get(name="Login")
        schema.archive_label(label)
        assert not naming.behind(project, matrix)
        columns = columns_of(project)
        assert not naming.of(project, matrix, columns)[columns.column(label.pk)].any()

    def test_half_a_folder_is_made_anew(self, pool):
        project, _, matrix = pool
        folder = encoding.matrix_folder(project.pk) / f"{matrix.fingerprint}.labels"
        (folder / "arrays.safetensors").write_bytes(b"half")
        assert naming.of(project, matrix, columns_of(project)) is None
        assert naming.behind(project, matrix)
        encoding.wish_encoding(project)
        work()
        assert naming.of(project, matrix, columns_of(project)) is not None

    def test_pictures_know_no_words(self, cast):
        project = make_project(cast, item_kind="image", encoder="pixels-pca")
        matrix = Encoding.objects.create(
            project=project, encoder="pixels-pca", fingerprint="f", dimensions=4
        )
        assert not naming.behind(project, matrix)
        assert naming.of(project, matrix, columns_of(project)) is None

    def test_a_new_label_is_younger_than_the_answers_given_before_it(self, cast, pool):
        project, truth, matrix = pool
        ana = assigning.voice_of(project, cast.ana)
        label_some(project, ana, truth, 12)
        work()
        schema.add_label(project, "Parcels")
        label_some(project, ana, truth, 6)
        work()
        learnt = lessons.read(project, matrix.rows, columns_of(project))
        places = dict(Verdict.objects.values_list("item__number", "position"))
        last_before = sorted(places.values())[11]
        told = [places[number] > last_before for number in learnt.numbers.tolist()]
        np.testing.assert_array_equal(~learnt.younger[:, -1], told)
        assert learnt.known.all()
        assert not learnt.younger[:, :-1].any()
        assert 0 < sum(told) < len(told)
