"""Alarms about people's answers: raised with their figures, and not where nothing can be said."""

import uuid

import pytest

from annotator.actions.desk import assigning
from annotator.actions.verdicts import alarming
from annotator.models import Annotation, Assignment, GoldItem
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


class TestAlarms:
    def write(self, project, voice, items, labels, seconds=4.0, stream="active"):
        """Answers with their leases, as the label page leaves them."""
        leases = Assignment.objects.bulk_create(
            Assignment(
                project=project,
                item=item,
                annotator=voice,
                slot=voice.pk % 30_000,
                state="answered",
                lease_until="2026-01-01T00:00Z",
            )
            for item in items
        )
        Annotation.objects.bulk_create(
            Annotation(
                uuid=uuid.uuid4(),
                project=project,
                item=item,
                annotator=voice,
                assignment=lease,
                labels=[label],
                seconds=seconds,
                stream=stream,
            )
            for item, lease, label in zip(items, leases, labels, strict=True)
        )

    @pytest.fixture
    def crew(self, cast):
        project = make_project(cast)
        items = make_items(project, 60)
        ids = list(project.labels.values_list("pk", flat=True))
        truth = [ids[item.number % 3] for item in items]
        voices = [assigning.voice_of(project, user) for user in (cast.ana, cast.ben, cast.lea)]
        return project, items, truth, voices

    def test_ordinary_work_raises_none(self, crew):
        project, items, truth, voices = crew
        for voice in voices:
            self.write(project, voice, items, truth)
        assert alarming.of(project) == []

    def test_speed_sameness_and_disagreement_are_told_with_their_figures(self, crew):
        project, items, truth, (ana, ben, lea) = crew
        for voice in (ben, lea):
            self.write(project, voice, items, truth)
        self.write(project, ana, items, [truth[0]] * 60, seconds=0.3)
        found = {alarm.kind: alarm for alarm in alarming.of(project)}
        assert set(found) == {"speed", "same-label", "agreement"}
        assert {alarm.annotator_id for alarm in found.values()} == {ana.pk}
        assert "0.3 s; others take 4.0 s" in found["speed"].evidence
        assert "50 of the last 50 answers are" in found["same-label"].evidence
        assert "on 40 of 120" in found["agreement"].evidence

    def test_two_people_who_disagree_blame_nobody(self, crew):
        project, items, truth, (ana, ben, _) = crew
        self.write(project, ana, items, truth)
        self.write(project, ben, items, truth[1:] + truth[:1])
        assert alarming.of(project) == []

    def test_gold_answers_surely_below_what_is_asked_for(self, crew, cast, client):
        project, items, truth, (ana, ben, _) = crew
        GoldItem.objects.bulk_create(
            GoldItem(project=project, item=item, labels=[label])
            for item, label in zip(items[:24], truth, strict=False)
        )
        said = [truth[place + place % 2] for place in range(24)]
        self.write(project, ana, items[:24], said, stream="gold")
        self.write(project, ben, items[:24], truth[:24], stream="gold")
        (alarm,) = alarming.of(project)
        assert (alarm.annotator_id, alarm.kind) == (ana.pk, "gold")
        assert alarm.evidence.startswith("12 of 24 gold items right")
        client.force_login(cast.ben)
        page = client.get(f"/projects/{project.pk}/annotators").content.decode()
        assert "12 of 24 gold items right" in page
