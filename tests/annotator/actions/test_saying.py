"""Answers that are more than labels: read by the task, kept whole, sealed with the rest."""

import json
from uuid import uuid4

import pytest

from annotator.actions.desk import assigning, labeling, revising
from annotator.actions.desk.assigning import voice_of
from annotator.actions.review import reviewing
from annotator.actions.verdicts import sealing
from annotator.errors import InvalidError, NotFoundError
from annotator.models import Annotation, AnnotationKind, LedgerEntry, Project
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db

TEXT = "Ada Lovelace 👩‍💻 met Charles Babbage in London."


@pytest.fixture
def project(cast):
    made = make_project(cast, labels=("Person", "Place"), task_type="spans", audit_share=0)
    make_items(made, [TEXT])
    return Project.objects.get(pk=made.pk)


@pytest.fixture
def labels(project):
    return dict(project.labels.values_list("name", "pk"))


def spans(*found):
    return {"spans": [{"start": start, "end": end, "label": label} for start, end, label in found]}


def answered(project, user, value, uuid=None):
    voice = voice_of(project, user)
    (lease,) = assigning.lease(project, voice, 1)
    said = labeling.submit(
        project, voice, uuid=uuid or uuid4(), assignment_id=lease.pk, value=value
    )
    return lease, said


class TestSubmitting:
    def test_the_value_is_kept_in_its_canonical_form_with_the_labels_it_names(
        self, cast, project, labels
    ):
        person, place = labels["Person"], labels["Place"]
        at = TEXT.index("London")
        given = spans((at, at + 6, place), (0, 12, person), (0, 3, person), (0, 12, person))
        _, said = answered(project, cast.ana, given)
        kept = Annotation.objects.get(pk=said.pk)
        assert kept.value == spans((0, 3, person), (0, 12, person), (at, at + 6, place))
        assert kept.labels == sorted([person, place])

    def test_nothing_marked_is_an_answer(self, cast, project):
        _, said = answered(project, cast.ana, spans())
        assert (said.value, said.labels) == ({"spans": []}, [])

    @pytest.mark.parametrize(
        ("value", "told"),
        [
            (None, "Labels alone are no answer here"),
            (
                {"spans": [{"start": 0, "end": 99, "label": 1}]},
                f"the text has {len(TEXT)} characters",
            ),
            ({"spans": "Ada"}, "is a list"),
        ],
    )
    def test_what_the_text_or_the_schema_cannot_hold_is_refused(self, cast, project, value, told):
        with pytest.raises(InvalidError, match=told):
            answered(project, cast.ana, value)
        assert not Annotation.objects.exists()

    def test_a_project_of_labels_takes_no_value(self, cast):
        tickets = make_project(cast, audit_share=0)
        make_items(tickets, 1)
        with pytest.raises(InvalidError, match="without a value"):
            answered(tickets, cast.ana, spans())

    def test_a_replay_returns_the_first_answer_and_a_strangers_lease_is_not_found(
        self, cast, project, labels
    ):
        uuid = uuid4()
        lease, said = answered(project, cast.ana, spans((0, 3, labels["Person"])), uuid)
        again = labeling.submit(
            project, voice_of(project, cast.ana), uuid=uuid, assignment_id=lease.pk, value=spans()
        )
        assert again.pk == said.pk
        with pytest.raises(NotFoundError):
            labeling.submit(
                project,
                voice_of(project, cast.ben),
                uuid=uuid4(),
                assignment_id=lease.pk,
                value=spans(),
            )


class TestChanging:
    def test_a_change_of_mind_follows_the_first_value(self, cast, project, labels):
        _, said = answered(project, cast.ana, spans((0, 3, labels["Person"])))
        later = revising.revise(
            project,
            voice_of(project, cast.ana),
            uuid=uuid4(),
            annotation_uuid=said.uuid,
            value=spans((0, 12, labels["Person"])),
        )
        assert (later.previous_id, later.value) == (said.pk, spans((0, 12, labels["Person"])))

    def test_taken_back_the_item_can_be_answered_again(self, cast, project, labels):
        voice = voice_of(project, cast.ana)
        lease, said = answered(project, cast.ana, spans((0, 3, labels["Person"])))
        again = revising.retract(project, voice, uuid=uuid4(), annotation_uuid=said.uuid)
        assert again.pk == lease.pk
        labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=spans())
        standing = Annotation.objects.filter(item=lease.item_id).standing()
        assert [each.value for each in standing] == [{"spans": []}]

    def test_a_reviewers_value_is_their_word(self, cast, project, labels):
        lease, _ = answered(project, cast.ana, spans((0, 3, labels["Person"])))
        word = reviewing.settle(
            project,
            cast.ben,
            uuid=uuid4(),
            item=lease.item,
            value=spans((0, 12, labels["Person"])),
        )
        assert (word.outcome, word.value) == ("decide", spans((0, 12, labels["Person"])))


class TestLedger:
    def test_a_digest_holds_the_value_and_tells_when_it_was_changed(self, cast, project, labels):
        _, said = answered(project, cast.ana, spans((0, 3, labels["Person"])))
        Annotation.objects.create(
            uuid=uuid4(),
            project=project,
            item_id=said.item_id,
            annotator=voice_of(project, cast.ben),
            kind=AnnotationKind.SKIP,
        )
        sealing.seal(project)
        assert sealing.verify(project) == []
        digests = {bytes(entry.digest) for entry in LedgerEntry.objects.all()}
        content = [
            *(str(said.uuid), said.item.number, said.annotator_id, "answer", "active"),
            *(said.labels, "", "", False, None),
            said.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            *(None, None, json.loads(json.dumps(said.value))),
        ]
        assert sealing.digest_of(content) in digests
