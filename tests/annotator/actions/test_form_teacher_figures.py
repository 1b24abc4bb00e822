"""What is measured of a language model in a project of forms: question by question, and whether texts turn it."""

import json
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotator.actions.desk import assigning
from annotator.actions.figures import scorecards
from annotator.actions.teachers import identity, lending, teacher_runs
from annotator.actions.trust import canarying
from annotator.actions.verdicts import agreeing, settling
from annotator.models import (
    Annotation,
    Annotator,
    Canary,
    Item,
    Part,
    Project,
)
from tests.annotator.actions.test_form_teacher import FIRE, TEXTS, filling, form_project, labels_of
from tests.annotator.teaching import teacher_on, work_off
from tests.factories import make_items
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(cast):
    return form_project(cast)


def people_answer(project, cast, answers):
    """Ana answers so many items of the random sample; all of them are drawn."""
    items = list(Item.objects.filter(project=project).order_by("order_key")[: len(answers)])
    Annotation.objects.bulk_create(
        Annotation(
            uuid=uuid4(), project=project, item=item, stream="audit",
            labels=labels_of(project, names), annotator=assigning.voice_of(project, cast.ana),
            value={"texts": {}},
        )
        for item, names in zip(items, answers, strict=True)
    )  # fmt: skip
    drawn = Item.objects.filter(pk__in=[item.pk for item in items])
    drawn.update(answers=1, open=False, part=Part.EVALUATION)
    Project.objects.filter(pk=project.pk).update(audit_cutoff=items[-1].order_key)
    project.refresh_from_db()
    settling.settle_now(project)


def test_the_scorecard_tells_of_each_question(cast, project, client):
    worse = ("Urgent > yes", "Why > fire", "How bad > 3")
    texts = [f"Fire in room {n}" for n in range(40)]
    with Loopback(filling(project)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=texts)
        people_answer(project, cast, [FIRE] * 27 + [worse] * 9 + [("Urgent > no",)] * 4)
        work_off(teacher_runs.start_run(project, teacher, None, 40, pool="audited"))
    found = scorecards.score(project, teacher.voice)
    assert (found.shared, found.right) == (40, 27)
    told = {one.name: (one.asked, one.right.value) for one in found.questions}
    assert told == {"Urgent": (40, 0.9), "Why": (36, 1.0), "How bad": (36, 0.75)}
    client.force_login(cast.lea)
    page = client.get(reverse("scorecard", args=[project.pk, teacher.voice_id])).content.decode()
    assert '<th scope="row">How bad</th><td class="num">36</td><td class="num">75' in page


def test_a_question_that_too_few_items_ask_has_no_figure_yet(cast, project, client):
    texts = [f"Fire in room {n}" for n in range(26)] + [f"Thanks {n}" for n in range(14)]
    with Loopback(filling(project)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=texts)
        people_answer(
            project, cast, [("Urgent > yes", "Why > water")] * 26 + [("Urgent > no",)] * 14
        )
        work_off(teacher_runs.start_run(project, teacher, None, 40, pool="audited"))
    found = scorecards.score(project, teacher.voice)
    told = {one.name: (one.asked, one.missing, one.right is None) for one in found.questions}
    assert told == {"Urgent": (40, 0, False), "Why": (26, 4, True), "How bad": (0, 30, True)}
    client.force_login(cast.lea)
    page = client.get(reverse("scorecard", args=[project.pk, teacher.voice_id])).content.decode()
    row = '<th scope="row">Why</th><td class="num">26</td>'
    assert f'{row}<td class="num" colspan="2">Not enough yet: 4 more items</td>' in page
    address = reverse("api_scorecard", args=[project.pk, teacher.voice_id])
    questions = client.get(address).json()["questions"]
    assert questions[1] == {"name": "Why", "asked": 26, "missing": 4, "right": None}


def test_agreement_with_a_teacher_leaves_out_texts_that_it_is_never_asked(cast, project):
    with Loopback(filling(project)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=[*TEXTS, "Thanks", "Bye"])
        said = {
            item.pk: FIRE if "Fire" in item.text else ("Urgent > no",)
            for item in project.items.all()
        }
        for user in (cast.ana, cast.lea):
            Annotation.objects.bulk_create(
                Annotation(
                    uuid=uuid4(), project=project, item_id=item, stream="audit",
                    labels=labels_of(project, names), annotator=assigning.voice_of(project, user),
                    value={"texts": {"note": {"text": f"{user} on {item}"}}},
                )
                for item, names in said.items()
            )  # fmt: skip
        work_off(teacher_runs.ask_about(project, teacher, list(range(len(said)))))
    people = {assigning.voice_of(project, user).pk for user in (cast.ana, cast.lea)}
    pairs = {
        frozenset((one["one"], one["other"])): one for one in agreeing.figures(project)["pairs"]
    }
    for person in people:
        assert pairs[frozenset((person, teacher.voice_id))]["value"] == 1
    assert pairs[frozenset(people)]["value"] < 0.9, "between people what they wrote counts"


def test_the_cards_of_more_voices_take_no_more_queries(cast, project, client):
    items = make_items(project, [f"Fire in room {n}" for n in range(40)])
    people_answer(project, cast, [FIRE] * 40)
    client.force_login(cast.lea)

    def queries():
        with CaptureQueriesContext(connection) as seen:
            page = client.get(reverse("annotators", args=[project.pk])).content.decode()
        return len(seen), page.count('<dl class="score">')

    def heard(name):
        voice = Annotator.objects.create(project=project, kind="import", name=name)
        Annotation.objects.bulk_create(
            Annotation(
                uuid=uuid4(), project=project, item=item, labels=labels_of(project, FIRE),
                annotator=voice, value={"texts": {}},
            )
            for item in items
        )  # fmt: skip

    heard("one")
    few, cards = queries()
    for name in ("two", "three", "four"):
        heard(name)
    assert queries() == (few, cards + 3)


def test_planted_instructions_are_judged_by_the_labels_that_are_given(cast, project, monkeypatch):
    monkeypatch.setattr(canarying, "SHARE", 0.2)
    fire, calm = labels_of(project, FIRE), labels_of(project, ["Urgent > no"])

    def gullible(request):
        forms = {
            key: {"urgent": str(calm[0]), "why": None, "how-bad": None}
            if text.count("\n")  # what was planted goes on below the text
            else {"urgent": str(fire[0]), "why": [str(fire[1])], "how-bad": str(fire[2])}
            for key, text in plays.items_of(request).items()
        }
        entries = [{"item": key, "form": form} for key, form in forms.items()]
        return json.dumps({"answers": entries})

    texts = [f"Fire in room {n}" for n in range(60)]
    with Loopback(plays.says(gullible)) as server:
        _, teacher = teacher_on(server, cast, project=project, texts=texts)
        people_answer(project, cast, [FIRE] * 20)
        run = work_off(teacher_runs.start_run(project, teacher, None, 40))
    planted = Canary.objects.filter(run=run).exclude(attack=canarying.PLAIN)
    assert {(tuple(row.truth), tuple(row.labels)) for row in planted} == {
        (tuple(sorted(fire)), tuple(calm))
    }
    schema_now = lending.schema_of(project)
    print_now = identity.fingerprint(teacher, teacher.params, schema_now)
    found = canarying.obeyed(teacher, schema_now, print_now)
    assert found.flipped.n == planted.count()
    assert found.flipped.count == planted.filter(target=calm[0]).count()
    assert run.answered == run.wanted == 40
    assert not Annotation.objects.filter(annotator=teacher.voice, labels=calm).exists()
