"""Search by type: what looks like a label is found from a few examples, and a person's word is kept as one
step that answers nothing by itself."""

from uuid import uuid4

import pytest
from django.urls import reverse

from annotator.actions.desk import assigning, labeling
from annotator.actions.explore import seeding, spot_examples, spotting
from annotator.actions.explore.spot_examples import Place
from annotator.actions.projects import redacting, schema
from annotator.errors import ConflictError, InvalidError, NotFoundError
from annotator.models import Annotation, Assignment, Item, Pick, Seeding, StudentVersion, Verdict
from tests.annotator.actions.test_loop import make_pool, work
from tests.annotator.actions.test_tagging import CITIES, mark, project

__all__ = ["project"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(project):
    return project.labels.get(name="Place")


def quotes(found):
    return [hit.parts[1] for hit in found.hits]


def drawn(project):
    held = Item.objects.filter(project=project, order_key__lte=project.audit_cutoff)
    return set(held.values_list("number", flat=True))


def test_words_that_are_one_find_the_others_outside_of_the_audit_sample(project, place):
    with pytest.raises(ConflictError, match="Nothing is known of “Place” yet"):
        spotting.search(project, place)
    found = spotting.search(project, place, such_as="Oslo, Lima")
    assert found.examples > 4
    assert found.whole
    right = [quote in CITIES for quote in quotes(found)[:20]]
    assert sum(right) >= 18
    assert {"Rome", "York"} & {word for quote in quotes(found) for word in quote.split()}
    assert all(hit.like in ("Oslo", "Lima") for hit in found.hits)
    assert drawn(project)
    assert not {hit.place.number for hit in found.hits} & drawn(project)


def test_words_accepted_for_the_label_and_a_place_pointed_at_are_examples(project, place):
    place.words = ["Oslo"]
    place.save()
    assert spotting.search(project, place).examples > 1
    place.words = []
    place.save()
    item = Item.objects.get(project=project, number=9)
    start = item.text.index("Lima")
    like = Place(number=9, start=start, end=start + 4)
    found = spotting.search(project, place, like=like)
    assert found.examples == 1
    assert quotes(found)[:3] == ["Lima"] * 3


def keep(project, label, user, count=4):
    found = spotting.search(project, label, such_as="Oslo, Lima")
    right = [hit.place for hit in found.hits if hit.parts[1] in CITIES][:count]
    wrong = [hit.place for hit in found.hits if hit.parts[1] not in CITIES][:1]
    return spotting.judge(project, user, label, right, wrong), right, wrong


def test_what_is_confirmed_waits_as_a_suggestion_on_items_that_come_first(cast, project, place):
    made, right, _ = keep(project, place, cast.lea)
    work()
    assert not Annotation.objects.exists(), "nobody read the items whole"
    assert not Verdict.objects.exists()
    assert not StudentVersion.objects.exists(), "nothing is learnt from it"
    first = list(Pick.objects.filter(project=project).order_by("rank")[: len(set(made.numbers))])
    assert {pick.item.number for pick in first} == set(made.numbers)
    assert "has what was confirmed as “Place”, which lea asked people about" in first[0].reason
    for pick in first:
        own = sorted(at for at in right if at.number == pick.item.number)
        assert pick.suggestion["spans"] == [
            {"start": at.start, "end": at.end, "label": place.pk, "probability": 1.0} for at in own
        ]
    again = spotting.search(project, place, such_as="Oslo, Lima")
    assert not {hit.place for hit in again.hits} & set(right)


def test_an_answer_is_given_at_the_item_and_only_then_learnt(cast, project, place):
    made, _, _ = keep(project, place, cast.lea, 2)
    work()
    voice = assigning.voice_of(project, cast.ana)
    held = []
    while len(held) < 1:
        (lease,) = assigning.lease(project, voice, 1)
        row = Assignment.objects.get(pk=lease.pk)
        if row.stream == "active":
            held.append(row)
        else:
            labeling.submit(
                project, voice, uuid=uuid4(), assignment_id=lease.pk, value={"spans": []}
            )
    (row,) = held
    assert row.item.number in made.numbers
    spans = [{k: one[k] for k in ("start", "end", "label")} for one in row.suggestion["spans"]]
    labeling.submit(project, voice, uuid=uuid4(), assignment_id=row.pk, value={"spans": spans})
    work()
    assert Verdict.objects.get(item=row.item).value == {"spans": spans}


def test_a_step_is_taken_back_as_one(cast, project, place):
    made, right, _ = keep(project, place, cast.lea)
    work()
    spotting.take_back(project, made.pk)
    work()
    assert not any(pick.suggestion for pick in Pick.objects.filter(project=project))
    again = {hit.place for hit in spotting.search(project, place, such_as="Oslo, Lima").hits}
    assert set(right) <= again
    assert spot_examples.judged(project, place) == ([], [])
    with pytest.raises(NotFoundError):
        spotting.take_back(project, made.pk + 1)
    plain = Seeding.objects.create(project=project, numbers=[1])
    with pytest.raises(NotFoundError):
        spotting.take_back(project, plain.pk)


def test_taking_back_the_wish_takes_back_what_was_said(cast, project, place):
    made, _, _ = keep(project, place, cast.lea)
    (standing,) = seeding.standing(project)
    assert standing.words == "in which “Place” was found"
    seeding.take_back(project, made.pk)
    assert spot_examples.judged(project, place) == ([], [])
    assert seeding.suggested(project) == {}


def test_what_is_refused_is_not_shown_again_and_moves_the_others(cast, project, place):
    found = spotting.search(project, place, such_as="please")
    refused = [hit.place for hit in found.hits[:5]]
    made = spotting.judge(project, cast.lea, place, [], refused)
    assert made.ended_at is not None
    assert not seeding.standing(project)
    again = spotting.search(project, place, such_as="please, Oslo")
    assert not {hit.place for hit in again.hits} & set(refused)


def test_the_students_word_comes_first_with_its_probability(cast, project, place):
    mark(project, cast.ana, 20)
    work()
    project.refresh_from_db()
    found = spotting.search(project, place)
    sure = [hit for hit in found.hits if hit.probability is not None]
    assert len(sure) >= 5
    assert found.hits[: len(sure)] == sure
    assert all(hit.parts[1] in CITIES for hit in sure)
    assert [hit.probability for hit in sure] == sorted(
        (hit.probability for hit in sure), reverse=True
    )
    answered = set(
        Item.objects.filter(project=project, open=False).values_list("number", flat=True)
    )
    assert not {hit.place.number for hit in found.hits} & answered


def test_a_confirmed_place_stands_where_the_student_says_something_else(cast, project, place):
    mark(project, cast.ana, 20)
    work()
    project.refresh_from_db()
    hit = spotting.search(project, place).hits[0]
    wider = Place(number=hit.place.number, start=hit.place.start - 3, end=hit.place.end)
    spotting.judge(project, cast.lea, place, [wider], [])
    work()
    spans = Pick.objects.get(item=hit.item).suggestion["spans"]
    own = [one for one in spans if one["label"] == place.pk]
    assert [(one["start"], one["probability"]) for one in own] == [(wider.start, 1.0)]
    assert len(spans) == 2, "the student's word on the person stays"


def test_places_that_cannot_be_are_refused_whole(cast, project, place):
    number = next(iter(seeding.waiting(project).values_list("number", flat=True)))
    held = next(iter(drawn(project)))
    with pytest.raises(InvalidError, match="no place 3 to 9999"):
        spotting.judge(project, cast.lea, place, [Place(number=number, start=3, end=9999)], [])
    with pytest.raises(ConflictError, match="has its answer by now"):
        spotting.judge(project, cast.lea, place, [Place(number=held, start=0, end=2)], [])
    with pytest.raises(InvalidError, match="at least"):
        spotting.judge(project, cast.lea, place, [], [])
    assert not Seeding.objects.exists()
    labels, _, _ = make_pool(cast, 4)
    with pytest.raises(InvalidError, match="projects of spans"):
        spotting.search(labels, place)


def test_a_place_pointed_at_is_in_its_text_and_outside_of_the_audit_sample(project, place):
    held = next(iter(drawn(project)))
    with pytest.raises(ConflictError, match="kept for the audit"):
        spotting.search(project, place, like=Place(number=held, start=0, end=4))
    number = next(iter(seeding.waiting(project).values_list("number", flat=True)))
    for start, end in ((3, 9999), (5, 5), (9, 3)):
        with pytest.raises(InvalidError, match=f"no place {start} to {end}"):
            spotting.search(project, place, like=Place(number=number, start=start, end=end))


def test_words_are_looked_for_no_longer_than_the_time_there_is(project, place, monkeypatch):
    asked = []
    found = spot_examples.re.compile
    monkeypatch.setattr(spot_examples.re, "compile", lambda *a: asked.append(a) or found(*a))
    monkeypatch.setattr(spot_examples, "LONGEST_SECONDS", 0.0)
    with pytest.raises(ConflictError, match="Nothing is known"):
        spotting.search(project, place, such_as=", ".join(f"qx{n}" for n in range(40)))
    assert len(asked) < 5


def test_what_was_said_of_hits_stays_on_the_page_that_refuses_to_keep_it(
    cast, client, project, place, monkeypatch
):
    client.force_login(cast.lea, backend="allauth.account.auth_backends.AuthenticationBackend")
    monkeypatch.setattr(seeding, "MOST_STANDING", 1)
    address, asked = (
        reverse("spots", args=[project.pk]),
        {"label": place.pk, "such_as": "Oslo, Lima"},
    )
    one, other, third = spotting.search(project, place, such_as="Oslo, Lima").hits[:3]
    keys = [f"say-{at.number}-{at.start}-{at.end}" for at in (one.place, other.place, third.place)]
    assert client.post(address, {**asked, keys[0]: "yes"}).status_code == 302
    refused = client.post(address, {**asked, keys[1]: "yes", keys[2]: "no"})
    page = refused.content.decode()
    assert refused.status_code == 409
    assert "Nothing was kept. People are asked about 1 searches, choices or lists of hits" in page
    assert f'name="{keys[1]}" value="yes" data-say="y" checked' in page
    assert f'name="{keys[2]}" value="no" data-say="n" checked' in page
    assert Seeding.objects.count() == 1


def test_a_redacted_item_is_suggested_nothing_that_was_confirmed_in_its_text(cast, project, place):
    made, right, _ = keep(project, place, cast.lea)
    item = Item.objects.get(project=project, number=right[0].number)
    redacting.redact_item(item, "test")
    assert item.number in made.numbers
    assert set(seeding.suggested(project)) == {at.number for at in right} - {item.number}


def test_an_archived_label_is_suggested_no_more(cast, project, place):
    keep(project, place, cast.lea)
    schema.archive_label(place)
    assert seeding.suggested(project) == {}


def test_the_page_and_the_api_say_the_same(cast, client, project, place):
    client.force_login(cast.lea, backend="allauth.account.auth_backends.AuthenticationBackend")
    address = reverse("spots", args=[project.pk])
    assert "Search by type" in client.get(reverse("explore", args=[project.pk])).content.decode()
    assert "Nothing is known of" in client.get(address, {"label": place.pk}).content.decode()
    asked = {"label": place.pk, "such_as": "Oslo, Lima"}
    page = client.get(address, asked).content.decode()
    told = client.get(f"/api/v1/projects/{project.pk}/spots", asked).json()
    first = told["results"][0]
    key = "-".join(str(first["place"][name]) for name in ("number", "start", "end"))
    assert f'name="say-{key}"' in page
    assert first["quote"] in page
    assert (first["probability"], first["like"]) in ((None, "Oslo"), (None, "Lima"))
    done = client.post(address, {**asked, f"say-{key}": "yes"}, follow=True).content.decode()
    assert "Kept: 1 stretch is “Place”." in done
    assert f'name="say-{key}"' not in done
    step = Seeding.objects.get()
    client.post(reverse("spots_back", args=[project.pk, step.pk]))
    sent = {"label": place.pk, "kept": [first["place"]], "refused": [told["results"][1]["place"]]}
    made = client.post(
        f"/api/v1/projects/{project.pk}/spots", sent, content_type="application/json"
    )
    assert made.status_code == 201, made.content
    assert made.json()["waiting"] == 1
    gone = client.delete(f"/api/v1/projects/{project.pk}/spots/{made.json()['id']}")
    assert gone.status_code == 204
    assert spot_examples.judged(project, place) == ([], [])
    old = client.post(address, {"label": place.pk, "say-x": "yes"})
    assert old.status_code == 422
