"""Orders of candidates: from a file to the desk, to the order that contradicts least, to a file again."""

import io
import json
from uuid import uuid4

import pytest
from django.urls import reverse

from annotator.actions.desk import assigning, labeling, siding
from annotator.actions.exports import exporting
from annotator.actions.exports.exporting import Options, create_snapshot
from annotator.actions.projects import projects, redacting
from annotator.actions.verdicts import agreeing, settling
from annotator.errors import InvalidError
from annotator.formats.mapping import Mapping
from annotator.models import Annotation, BatchState, ImportBatch, Item, Role, Verdict
from tests.annotator.actions.test_importing import imported, run
from tests.annotator.web.conftest import BACKEND
from tests.factories import join

pytestmark = pytest.mark.django_db

COLUMNS = Mapping(text="query", candidates=("a", "b", "c"))


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


@pytest.fixture
def project(cast):
    made = projects.create_project(
        cast.lea, "Passages", task_type="ranking", item_kind="list", overlap=3, audit_share=0
    )
    join(made, cast.ana, Role.ANNOTATOR)
    join(made, cast.ben, Role.REVIEWER)
    rows = "\n".join(f"query {n},first {n},second {n},third {n}" for n in range(12))
    assert imported(made, f"query,a,b,c\n{rows}".encode(), COLUMNS).state == BatchState.DONE
    made.refresh_from_db()
    return made


def rank(project, user, orders):
    voice = assigning.voice_of(project, user)
    for _ in range(project.item_count):
        (lease,) = assigning.lease(project, voice, 1)
        value = {"order": orders.get(lease.item.number, [[2], [1, 3]])}
        labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=value)


def test_columns_become_candidates_and_an_answer_names_each_once(cast, project):
    item = Item.objects.order_by("number").first()
    assert item.candidates == ["first 0", "second 0", "third 0"]
    voice = assigning.voice_of(project, cast.ana)
    (lease,) = assigning.lease(project, voice, 1)
    for order, told in (([[1], [2]], "each of the 3"), ([[1, 1], [2], [3]], "each"), (3, "list")):
        with pytest.raises(InvalidError, match=told):
            labeling.submit(
                project, voice, uuid=uuid4(), assignment_id=lease.pk, value={"order": order}
            )
    said = labeling.submit(
        project, voice, uuid=uuid4(), assignment_id=lease.pk, value={"order": [[3, 1], [2]]}
    )
    shown = siding.shown(project, lease)
    assert sorted(shown.split()) == ["1", "2", "3"]
    assert said.value == {"order": [[1, 3], [2]], "shown": shown}


def test_rows_with_too_few_candidates_are_told(cast):
    made = projects.create_project(cast.lea, "P", task_type="ranking", item_kind="list")
    data = json.dumps({"query": "q", "items": [{"text": "alone"}]}).encode()
    batch = imported(made, data, Mapping(text="query", candidates=("items",)), name="a.jsonl")
    assert batch.report["problems"] == [
        [1, "items", "The row has 1 candidates; an item has 2 to 20."]
    ]
    with pytest.raises(InvalidError, match="hold the candidates"):
        imported(made, data, Mapping(text="query"), name="a.jsonl")


def test_the_verdict_contradicts_least_and_a_reviewer_settles_what_is_reversed(
    cast, project, client
):
    rank(project, cast.ana, {0: [[1], [2], [3]], 1: [[1], [2], [3]]})
    rank(project, cast.ben, {0: [[1], [3], [2]], 1: [[3], [2], [1]]})
    rank(project, cast.lea, {0: [[2], [1], [3]], 1: [[2, 3], [1]]})
    settling.settle_now(project)
    found = {one.item.number: one for one in Verdict.objects.select_related("item")}
    assert (found[0].state, found[0].value) == ("decided", {"order": [[1], [2], [3]]})
    assert (found[2].state, found[2].value) == ("decided", {"order": [[2], [1, 3]]})
    assert found[1].state == "tie"
    figures = agreeing.figures(project)
    assert figures["distance"] == "orders"
    assert 0.5 < figures["alpha"]["value"] < figures["closeness"]["value"] < 1

    client.force_login(cast.lea, backend=BACKEND)
    shown = client.get(reverse("review_item", args=[project.pk, 1]), {"none": "1"})
    assert "third 1" in shown.content.decode()
    settle = reverse("review_settle", args=[project.pk, 1])
    form = {"parts": "1", "written": "3 > 2 = 1"}
    wrong = client.post(settle, {**form, "uuid": str(uuid4()), "written": "nonsense"})
    assert "is no order" in wrong.content.decode()
    assert client.post(settle, {**form, "uuid": str(uuid4())}).status_code == 302
    settling.settle_now(project)
    assert Verdict.objects.get(item__number=1).value == {"order": [[3], [1, 2]]}
    for name in ("explore", "label_mine", "agreement", "label"):
        assert client.get(reverse(name, args=[project.pk])).status_code == 200
    redacting.redact_item(Item.objects.get(number=1), "lea")
    assert Item.objects.get(number=1).candidates == ["", "", ""]


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", "label-studio"])
def test_orders_leave_in_a_format_and_come_back_by_it(cast, project, format):
    rank(project, cast.ana, {0: [[3], [1], [2]], 1: [[1, 2, 3]]})
    snapshot = create_snapshot(project, Options(format=format, pack="file"))
    run(snapshot.job)
    snapshot.refresh_from_db()
    again = projects.create_project(cast.lea, "Again", task_type="ranking", item_kind="list")
    other = format == "label-studio"
    mapping = Mapping(
        text="text",
        candidates=("items" if other else "candidates",),
        label="" if other else "answer",
    )
    name = "a.json" if other else f"a.{format}"
    data = exporting.path_of(snapshot).read_bytes()
    batch = imported(again, data, mapping, name=name, format=format)
    assert batch.state == BatchState.DONE, batch.report
    said = Annotation.objects.filter(project=again).order_by("item__number")
    assert [each.value["order"] for each in said] == (
        [[[3], [1], [2]], [[1, 2, 3]]] + [[[2], [1, 3]]] * 10
    )
    assert said[0].item.candidates == ["first 0", "second 0", "third 0"]


def test_a_list_of_candidates_proposes_a_ranking(cast, client):
    client.force_login(cast.lea, backend=BACKEND)
    rows = [{"query": f"q{n}", "items": [f"one {n}", f"two {n}"]} for n in range(3)]
    file = io.BytesIO("\n".join(map(json.dumps, rows)).encode())
    file.name = "passages.jsonl"
    client.post(reverse("project_new"), {"file": file})
    batch = ImportBatch.objects.get()
    assert (batch.project.task_type, batch.project.item_kind) == ("ranking", "list")
    page = reverse("import", args=[batch.project_id, batch.pk])
    client.post(page, {"do": "start"})
    run(ImportBatch.objects.get().job)
    assert Item.objects.order_by("number").first().candidates == ["one 0", "two 0"]


def test_argillas_flattened_responses_are_an_answer_for_each_of_its_users(cast):
    made = projects.create_project(cast.lea, "P", task_type="ranking", item_kind="list")
    places = [
        [{"value": "b", "rank": 1}, {"value": "a", "rank": 2}],
        [{"value": "a", "rank": 1}, {"value": "b", "rank": 1}],
    ]
    row = {"query": "q", "a": "one", "b": "two", "best.responses": places}
    data = json.dumps(row | {"best.responses.users": ["u1", "u2"]}).encode()
    mapping = Mapping(text="query", candidates=("a", "b"), label="best.responses")
    batch = imported(made, data, mapping, name="a.jsonl")
    assert batch.report["problems"] == []
    said = Annotation.objects.order_by("annotator__name")
    assert [each.value["order"] for each in said] == [[[2], [1]], [[1, 2]]]
    assert [each.annotator.name for each in said] == ["a.jsonl · u1", "a.jsonl · u2"]
    stranger = row | {"query": "r", "best.responses": [[{"value": "z", "rank": 1}]]}
    refused = imported(made, json.dumps(stranger).encode(), mapping, name="b.jsonl")
    assert refused.report["problems"] == [
        [1, "best.responses", "“z” is no column of a candidate: a, b."]
    ]
