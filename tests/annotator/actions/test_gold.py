"""Gold items, the entry round, further voices and shares: how well people answer, and who is asked."""

import uuid

import pytest

from annotator.actions.desk import assigning, entering, golding, labeling, revising
from annotator.actions.instance import doctor
from annotator.actions.projects import people, projects
from annotator.actions.projects.schema import columns_of
from annotator.actions.students import lessons
from annotator.actions.verdicts import settling
from annotator.errors import InvalidError
from annotator.models import (
    Annotation,
    Assignment,
    GoldItem,
    Item,
    Membership,
    Pick,
    Project,
    Role,
    Verdict,
)
from annotator.web.label import card_of
from tests.annotator.audited import answer_all
from tests.factories import join, make_items, make_project, make_user

pytestmark = pytest.mark.django_db


def gold_project(cast, gold=4, items=30, **fields):
    """The first items were decided by a reviewer as Billing, and are gold."""
    project = make_project(cast, audit_share=0, **fields)
    made = make_items(project, items)
    billing = project.labels.get(name="Billing")
    known = made[:gold]
    answer_all(project, assigning.voice_of(project, cast.ben), known, [billing.pk] * gold, "review")
    golding.add(project, cast.lea, known, note="It is about an invoice.")
    return project, known, billing


def answer(project, voice, lease, label, **fields):
    return labeling.submit(
        project, voice, uuid=uuid.uuid4(), assignment_id=lease.pk, labels=[label.pk], **fields
    )


def newcomer(project, name="nia"):
    user = make_user(name)
    join(project, user, Role.ANNOTATOR)
    return assigning.voice_of(project, user)


class TestGold:
    def test_only_known_answers_can_be_gold(self, cast):
        project, known, _ = gold_project(cast)
        open_item = Item.objects.filter(project=project).last()
        with pytest.raises(InvalidError, match="not known"):
            golding.add(project, cast.lea, [open_item])
        assert not golding.candidates(project).exists()
        golding.end(GoldItem.objects.get(item=known[0]))
        assert list(golding.candidates(project)) == [known[0]]
        (again,) = golding.add_some(project, cast.lea, 5, "reviewer")
        assert (again.item_id, again.ended_at) == (known[0].pk, None)

    def test_its_share_is_mixed_in_and_looks_like_the_audit(self, cast):
        project, known, _ = gold_project(cast)
        projects.change_project(project, gold_share=0.25, audit_share=0)
        voice = assigning.voice_of(project, cast.ana)
        leases = []
        for _ in range(8):
            (lease,) = assigning.lease(project, voice, 1)
            leases.append(lease)
            answer(project, voice, lease, project.labels.first())
        gold = [lease for lease in leases if lease.stream == "gold"]
        assert len(gold) == 2
        assert {lease.item_id for lease in gold} <= {item.pk for item in known}
        card = card_of(project, gold[0])
        assert (card.stream, card.blind, card.label_set, card.suggestion) == (
            "audit",
            True,
            "",
            "[]",
        )
        assert card.why == "Drawn at random, so that the figures stay honest."

    def test_what_people_say_of_it_is_no_vote_and_teaches_nothing_twice(self, cast):
        project, known, _ = gold_project(cast)
        projects.change_project(project, gold_share=0.5)
        before = list(
            Verdict.objects.order_by("pk").values_list("item", "labels", "soft", "voices")
        )
        login = project.labels.get(name="Login")
        voice = assigning.voice_of(project, cast.ana)
        (lease,) = assigning.lease(project, voice, 1)
        assert lease.stream == "gold"
        said = answer(project, voice, lease, login)
        settling.settle_now(project)
        after = list(Verdict.objects.order_by("pk").values_list("item", "labels", "soft", "voices"))
        assert after == before
        item = Item.objects.get(pk=lease.item_id)
        assert (item.answers, item.open) == (1, False), "as the reviewer's answer left it"
        learnt = lessons.read(project, project.item_count, columns_of(project))
        assert learnt.targets.sum(axis=0).tolist() == [len(known), 0, 0]
        (counters,) = [each for each in doctor.examine(project) if each.name == "counters"]
        # The reviewer's four words here came without a lease; the gold answer counts nowhere.
        assert counters.seen.count("counts 1 answers, 0 stand.") == 3
        assert counters.seen.endswith("And 1 more.")
        revising.retract(project, voice, uuid=uuid.uuid4(), annotation_uuid=said.uuid)
        assert Item.objects.get(pk=lease.item_id).answers == 1

    def test_the_first_answer_counts(self, cast):
        project, _, billing = gold_project(cast)
        projects.change_project(project, gold_share=0.5)
        voice = assigning.voice_of(project, cast.ana)
        (lease,) = assigning.lease(project, voice, 1)
        said = answer(project, voice, lease, project.labels.get(name="Login"))
        revising.revise(
            project, voice, uuid=uuid.uuid4(), annotation_uuid=said.uuid, labels=[billing.pk]
        )
        score = golding.scores(project)[voice.pk]
        assert (score.asked, score.right, len(score.misses)) == (1, 0, 1)

    def test_everybody_is_asked_and_nobody_twice(self, cast):
        project, known, billing = gold_project(cast, gold=2)
        projects.change_project(project, gold_share=0.5)
        for voice in (assigning.voice_of(project, cast.ana), newcomer(project)):
            for _ in range(8):
                (lease,) = assigning.lease(project, voice, 1)
                answer(project, voice, lease, billing)
            assert golding.scores(project, voice)[voice.pk].asked == 2
        met = Assignment.objects.filter(item__in=known).values_list("item", "annotator")
        assert len(met) == len(set(met)) == 4
        ben = assigning.voice_of(project, cast.ben)
        assert ben.pk not in golding.scores(project), "he decided them himself"


class TestEntryRound:
    @pytest.fixture
    def round(self, cast):
        project, _known, billing = gold_project(cast)
        old = assigning.voice_of(project, cast.ana)
        answer(project, old, assigning.lease(project, old, 1)[0], billing)
        projects.change_project(project, entry_items=3, entry_pass=0.6)
        return project, billing

    def test_somebody_new_answers_gold_items_first_and_is_told_what_is_right(self, cast, round):
        project, billing = round
        voice = newcomer(project)
        leases = assigning.lease(project, voice, 3)
        assert [lease.stream for lease in leases] == ["gold"] * 3
        assert assigning.lease(project, voice, 1) == []
        wrong = project.labels.get(name="Login")
        answer(project, voice, leases[0], wrong)
        told = entering.feedback(project, voice, leases[0].pk)
        assert (told.is_right, told.known, told.note) == (
            False,
            [billing.pk],
            "It is about an invoice.",
        )
        assert (told.round.done, told.round.wanted, told.round.right) == (1, 3, 0)
        for lease in leases[1:]:
            answer(project, voice, lease, billing)
        assert entering.progress(project, voice) is None, "two of three are enough"
        assert assigning.lease(project, voice, 1)[0].stream == "active"

    def test_who_fails_waits_for_a_manager(self, cast, round, client):
        project, _billing = round
        voice = newcomer(project)
        for lease in assigning.lease(project, voice, 3):
            answer(project, voice, lease, project.labels.get(name="Login"))
        assert assigning.lease(project, voice, 1) == []
        client.force_login(voice.user)
        page = client.get(f"/projects/{project.pk}/label").content.decode()
        assert "Your entry round is done" in page
        assert "0 of 3 were right" in page
        client.force_login(cast.lea)
        member = Membership.objects.get(project=project, user=voice.user)
        assert b"in the entry round" in client.get(f"/projects/{project.pk}/members").content
        client.post(f"/projects/{project.pk}/members/{member.pk}/admit")
        assert assigning.lease(project, voice, 1)[0].stream == "active"

    def test_skipping_does_not_end_in_nowhere(self, round):
        project, billing = round
        voice = newcomer(project)
        leases = assigning.lease(project, voice, 3)
        labeling.skip(project, voice, uuid=uuid.uuid4(), assignment_id=leases[0].pk)
        for lease in leases[1:]:
            answer(project, voice, lease, billing)
        assert assigning.lease(project, voice, 1)[0].stream == "active", "two of three"

    def test_who_was_at_work_goes_on_and_reviewers_need_none(self, cast, round):
        project, _ = round
        for user in (cast.ana, cast.ben, cast.lea):
            voice = assigning.voice_of(project, user)
            assert assigning.lease(project, voice, 1)[0].stream == "active"

    def test_the_page_shows_the_feedback(self, cast, round, client):
        project, billing = round
        voice = newcomer(project)
        client.force_login(voice.user)
        page = client.get(f"/projects/{project.pk}/label").content.decode()
        assert "answer is known, and told after yours" in page
        lease = Assignment.objects.filter(annotator=voice).first()
        pieces = client.post(
            f"/projects/{project.pk}/label/answer",
            {"kind": "answer", "uuid": uuid.uuid4(), "assignment": lease.pk, "labels": billing.pk},
        ).content.decode()
        assert 'id="feedback"' in pieces
        assert "right, Billing." in pieces
        assert "Entry round: 1 of 3, 1 right." in pieces


class TestFurtherVoices:
    def said_by(self, cast, project, item, *names, settle=None):
        voices = [assigning.voice_of(project, user) for user in (cast.ana, cast.ben, cast.lea)]
        voices += [newcomer(project, f"further-{n}") for n in range(len(names) - 3)]
        for voice, name in zip(voices, names, strict=False):
            label = project.labels.get(name=name)
            Annotation.objects.create(
                uuid=uuid.uuid4(), project=project, item=item, annotator=voice, labels=[label.pk]
            )
            lease = Assignment.objects.create(
                project=project,
                item=item,
                annotator=voice,
                slot=Assignment.objects.filter(item=item).count(),
                state="answered",
                lease_until="2026-01-01T00:00Z",
            )
            assert lease.pk
        Item.objects.filter(pk=item.pk).update(answers=len(names), open=False)
        (settle or run_settle)(project)
        item.refresh_from_db()
        return item

    def test_one_more_is_asked_while_the_belief_is_low_and_no_more_than_the_limit(self, cast):
        project = make_project(
            cast, audit_share=0, overlap=2, sure_at=0.8, voices_at_most=3, training_paused=True
        )
        doubtful, sure, *_ = make_items(project, 6)
        self.said_by(cast, project, sure, "Login", "Login")
        assert not sure.open
        item = self.said_by(cast, project, doubtful, "Login", "Billing")
        assert (item.extra_voices, item.open) == (1, True)
        (pick,) = Pick.objects.filter(item=item)
        assert (pick.slot, pick.rank, pick.suggestion) == (2, 0, [])
        third = newcomer(project)
        (lease,) = assigning.lease(project, third, 1)
        assert (lease.item_id, lease.slot) == (item.pk, 2)
        answer(project, third, lease, project.labels.get(name="Delivery"))
        run_settle(project)
        item.refresh_from_db()
        assert (item.answers, item.extra_voices, item.open) == (3, 1, False), "the limit"
        assert Verdict.objects.get(item=item).state == "tie", "now it waits for a reviewer"

    def test_a_worker_that_dies_after_the_sealing_has_asked_already(self, cast):
        project = make_project(cast, audit_share=0, overlap=2, sure_at=0.8, training_paused=True)
        item = make_items(project, 3)[0]
        item = self.said_by(cast, project, item, "Login", "Billing", settle=settling.settle_now)
        assert (item.extra_voices, item.open) == (1, True)

    def test_without_a_policy_a_tie_goes_to_review_at_once(self, cast):
        project = make_project(cast, audit_share=0, overlap=2, training_paused=True)
        item = self.said_by(cast, project, make_items(project, 3)[0], "Login", "Billing")
        assert (item.extra_voices, item.open) == (0, False)

    def test_the_wish_survives_a_queue_that_is_filled_anew(self, cast):
        project = make_project(cast, audit_share=0, overlap=2, sure_at=0.8, training_paused=True)
        item = self.said_by(cast, project, make_items(project, 6)[0], "Login", "Billing")
        Pick.objects.all().delete()
        from annotator.actions.desk import reasking

        reasking.place(project)
        reasking.place(project)
        assert Pick.objects.filter(item=item).count() == 1


def run_settle(project):
    from tests.annotator.audited import running

    settling.run_settle(running(project, "settle"))


def test_nobody_gives_more_than_their_share(cast):
    project = make_project(cast, audit_share=0, share_at_most=0.2)
    make_items(project, 20)
    voice = assigning.voice_of(project, cast.ana)
    given = 0
    while leases := assigning.lease(project, voice, 1):
        answer(project, voice, leases[0], project.labels.first())
        given += 1
    assert given == 4
    people.change_member(
        Membership.objects.get(project=project, user=cast.ana), cast.lea, role="annotator", quota=10
    )
    assert assigning.lease(project, voice, 1) == [], "the smaller limit counts"
    assert assigning.lease(project, assigning.voice_of(project, cast.ben), 1)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"gold_share": 0.1}, "gold_share"),
        ({"entry_items": 5}, "entry_items"),
        ({"gold_share": 0.6}, "gold_share"),
        ({"sure_at": 0.3}, "sure_at"),
        ({"share_at_most": 0.0}, "share_at_most"),
        ({"voices_at_most": 0}, "voices_at_most"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_their_field(cast, settings, field):
    project = make_project(cast)
    with pytest.raises(InvalidError) as refusal:
        projects.change_project(project, **settings)
    assert refusal.value.data["field"] == field


def test_the_page_of_gold_items_names_their_answers_and_adds_and_ends_them(cast, client):
    project, known, _ = gold_project(cast, gold=2)
    client.force_login(cast.lea)
    page = client.get(f"/projects/{project.pk}/gold").content.decode()
    assert "<td>Billing<br>" in page
    gold = GoldItem.objects.get(item=known[0])
    client.post(f"/projects/{project.pk}/gold/{gold.pk}/end")
    assert GoldItem.objects.standing().count() == 1
    number = Item.objects.filter(project=project).last().number
    refused = client.post(
        f"/projects/{project.pk}/gold", {"source": "reviewer", "numbers": f"{number}"}
    )
    assert refused.status_code == 422
    assert b"is not known" in refused.content
    client.post(f"/projects/{project.pk}/gold", {"source": "reviewer", "count": 3})
    assert GoldItem.objects.standing().count() == 2


def test_the_api_hides_what_is_gold_from_those_who_answer(cast, client):
    project, _, billing = gold_project(cast)
    Project.objects.filter(pk=project.pk).update(gold_share=0.5)
    client.force_login(cast.ana)
    api = f"/api/v1/projects/{project.pk}"
    lease = client.post(f"{api}/next", {"count": 1}, "application/json").json()["leases"][0]
    assert Assignment.objects.get(pk=lease["id"]).stream == "gold"
    assert (lease["stream"], lease["suggestion"]) == ("audit", [])
    wish = {"uuid": str(uuid.uuid4()), "assignment": lease["id"], "labels": [billing.pk]}
    said = client.post(f"{api}/answers", wish, "application/json").json()["annotation"]
    assert said["stream"] == "audit"
    own = client.get(f"{api}/annotations?stream=audit").json()["results"]
    assert [each["stream"] for each in own] == ["audit"]
    assert client.get(f"{api}/annotations?stream=gold").json()["results"] == []
    client.force_login(cast.lea)
    assert len(client.get(f"{api}/annotations?stream=gold").json()["results"]) == 1
    assert client.get(f"{api}/gold").json()["results"][0]["labels"] == [billing.pk]
