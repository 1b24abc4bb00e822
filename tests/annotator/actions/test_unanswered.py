"""A head learns by itself from items that nobody answered, where the sample shows no harm in it."""

from dataclasses import replace

import numpy as np
import pytest

from annotator.actions.desk import assigning
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.instance import doctor
from annotator.actions.students import distilling, leaving, student_words, training
from annotator.models import Item, Part, Project, StudentVersion
from annotator.web import besides
from learning import storage, students
from learning.students.unlabelled import Unlabelled
from tests.annotator.audited import answer_all, running
from tests.annotator.pages import Client
from tests.annotator.web.helpers import encode
from tests.factories import make_items, make_project

ITEMS, DRAWN, KEPT, LABELLED = 900, 80, 100, 160


def pool(cast):
    """(project, order): 60 evaluation and 20 calibration items answered, 20 more of the sample not drawn yet,
    160 others answered. One of the pool is a duplicate of a sample's item."""
    project = make_project(cast, audit_share=0.1)
    items, rng = make_items(project, ITEMS), np.random.default_rng(4)
    for item, key in zip(items, rng.permutation(ITEMS), strict=True):
        item.order_key = (key + 1) / (ITEMS + 1)
    Item.objects.bulk_update(items, ["order_key"])
    truth = rng.integers(0, 3, ITEMS)
    middles = rng.normal(size=(3, 24))
    middles *= 4 / np.linalg.norm(middles, axis=1, keepdims=True)
    spread = np.where(np.arange(24) < 4, 4.0, 0.8)
    encode(project, middles[truth] + spread * rng.normal(size=(ITEMS, 24)))
    order = list(Item.objects.filter(project=project).order_by("order_key"))
    labels = list(project.labels.order_by("column").values_list("pk", flat=True))
    ana = assigning.voice_of(project, cast.ana)
    for part, stream, some in (
        (Part.EVALUATION, "audit", order[:60]),
        (Part.CALIBRATION, "audit", order[60:DRAWN]),
        ("", "active", order[KEPT : KEPT + LABELLED]),
    ):
        answer_all(project, ana, some, [labels[truth[each.number]] for each in some], stream)
        Item.objects.filter(pk__in=[each.pk for each in some]).update(part=part)
    Item.objects.filter(pk=order[-1].pk).update(content_hash=order[DRAWN].content_hash)
    Project.objects.filter(pk=project.pk).update(
        audit_cutoff=order[KEPT - 1].order_key, audit_size=KEPT
    )
    project.refresh_from_db()
    return project, [each.number for each in order]


def train(project):
    found = training.run_train(running(project, "train"))
    return StudentVersion.objects.get(project=project, number=found["student"])


def arrays(made):
    return storage.load_folder(students_folder(made.project_id) / made.folder)[0]


@pytest.fixture
def shown(monkeypatch):
    """The vectors that heads were shown, call by call."""
    calls, fit = [], Unlabelled.fit

    def spy(self, head, plain, lesson, waiting, rng, report):
        calls.append(np.array(waiting))
        return fit(self, head, plain, lesson, waiting, rng, report)

    monkeypatch.setattr(Unlabelled, "fit", spy)
    return calls


@pytest.mark.django_db(transaction=True)
class TestItemsThatNobodyAnswered:
    def test_they_are_learned_from_and_pages_card_and_manifest_tell(self, cast, shown):
        project, _ = pool(cast)
        made = train(project)
        told = made.beside["unanswered"]
        assert told["rows"] == len(shown[-1]) == ITEMS - KEPT - LABELLED - 1, "nor the duplicate"
        assert (told["bought"]["n"], made.trained_on) == (60, LABELLED)
        assert made.beside["cutoff"] == project.audit_cutoff
        sentence = f"learned also from {told['rows']} items that nobody answered"
        assert distilling.learned(made) == sentence
        card = dict(leaving.members(made))[f"{leaving.package_of(made)}/README.md"]
        assert f"It {sentence}" in card.decode()
        folder = students_folder(project.pk) / made.folder
        assert storage.read_json(folder / storage.MANIFEST)["beside"] == made.beside
        lea = Client()
        lea.force_login(cast.lea)
        for place in ("students", f"students/{made.number}"):
            page = lea.get(f"/projects/{project.pk}/{place}").content.decode()
            assert sentence in page
            assert "What it bought: the head is" in page
        plain = students.load(distilling.plain_folder(made))
        assert np.abs(plain.weights - arrays(made)["weights"]).max() > 0.01
        assert student_words.Plain.of(made) is None, "nobody else's word is in it"
        (distilling.plain_folder(made) / storage.ARRAYS).write_bytes(b"spoilt")
        assert [said for said in doctor._students(project) if f"Student {made.number}: " in said]

    def test_the_same_answers_give_the_same_student_again(self, cast):
        project, _ = pool(cast)
        one, other = train(project), train(project)
        assert one.beside["unanswered"]["digest"] == other.beside["unanswered"]["digest"]
        for name, values in arrays(other).items():
            # The second begins from the first, so both are as near the one answer as is asked for.
            np.testing.assert_allclose(values, arrays(one)[name], rtol=0.01, atol=0.02)

    def test_switched_off_or_without_a_sample_none_is_looked_at(self, cast, shown):
        project, _ = pool(cast)
        project.soft_rows = False
        project.save(update_fields=["soft_rows"])
        assert train(project).beside == {}
        Project.objects.filter(pk=project.pk).update(soft_rows=True)
        project.refresh_from_db()
        Item.objects.filter(project=project, part=Part.EVALUATION).update(part="")
        assert train(project).beside == {}
        assert shown == []

    def test_where_the_sample_shows_harm_the_head_stays_and_the_page_says_so(
        self, cast, monkeypatch
    ):
        project, _ = pool(cast)
        Project.objects.filter(pk=project.pk).update(soft_rows=False)
        alone = train(project)
        StudentVersion.objects.filter(project=project).delete()
        Project.objects.filter(pk=project.pk).update(soft_rows=True)

        def spoil(self, head, plain, *_):
            return replace(plain, weights=-plain.weights)

        monkeypatch.setattr(Unlabelled, "fit", spoil)
        made = train(project)
        assert set(made.beside["unanswered"]) == {"bought"}
        assert distilling.learned(made) == ""
        assert "points worse" in besides.told(project, made)
        assert "so it left them out" in besides.told(project, made)
        for name, values in arrays(made).items():
            np.testing.assert_array_equal(values, arrays(alone)[name])
