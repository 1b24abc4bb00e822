"""What a simulation replays of a project of forms: each question of those that an answer leads to."""

from io import BytesIO

import numpy as np
import pytest

from annotator import jobs
from annotator.actions.projects import form_questions, projects
from annotator.actions.simulations import comparing, form_replays, replaying, simulations
from annotator.errors import InvalidError
from annotator.models import Verdict, VerdictSource, VerdictState
from learning.tasks import Question
from tests.annotator.simulated import start, wish, work
from tests.annotator.web.helpers import encode
from tests.contracts.plugins import three_groups
from tests.factories import make_items

pytestmark = pytest.mark.django_db(transaction=True)

ITEMS = 200


@pytest.fixture(autouse=True)
def no_bells(monkeypatch):
    monkeypatch.setattr(jobs, "ring", lambda *_, **__: None)


def ids(project):
    return dict(project.labels.values_list("name", "pk"))


@pytest.fixture
def complaints(cast):
    """Each item has a topic; complaints alone are urgent or not, which nobody asks of praise."""
    made = projects.create_project(cast.lea, "Letters", task_type="form", audit_share=0)
    ask = form_questions.add_question
    ask(made, "Topic", labels=[(name, "") for name in ("complaint", "praise", "other", "spam")])
    ask(made, "Sender", labels=[("firm", ""), ("bot", "")], only_if=[ids(made)["Topic > spam"]])
    wait = [ids(made)["Topic > complaint"]]
    ask(made, "Urgent", labels=[("yes", ""), ("no", "")], only_if=wait)
    ask(made, "Words", kind="text", optional=True)
    make_items(made, [f"letter number {number}" for number in range(ITEMS)])
    points, group = three_groups(ITEMS, 4)
    encode(made, points)
    decide(made, points, group)
    return made


def decide(project, points, group):
    of = ids(project)
    for item in project.items.order_by("number"):
        topic = ("complaint", "praise", "other")[group[item.number]]
        labels = [of[f"Topic > {topic}"]]
        if topic == "complaint":
            urgent = "yes" if points[item.number, 0] > np.median(points[group == 0, 0]) else "no"
            labels.append(of[f"Urgent > {urgent}"])
        Verdict.objects.create(
            item=item,
            project=project,
            labels=labels,
            state=VerdictState.DECIDED,
            source=VerdictSource.CONSENSUS,
            position=1,
        )


def test_curves_are_of_the_questions_that_were_asked(complaints):
    simulation = start(complaints, "neediest", "random", seeds=1, start=12)
    work(simulation)
    assert (simulation.state, simulation.error) == ("done", "")
    assert comparing.measure_of(simulation) == "questions right"
    assert simulation.full["score"] > 0.75
    assert simulation.full["metrics"]["questions_right"] == simulation.full["score"]
    assert {run.strategy for run in simulation.runs.filter(state="done")} == {"neediest", "random"}


def test_labels_of_a_question_that_was_not_asked_are_not_known(complaints):
    simulation = start(complaints, "neediest")
    work(simulation, pieces=1)
    replay, task = replaying.load(simulation)
    assert [one.name for one in task.questions] == ["Topic", "Urgent"]
    assert replay.label_names == (
        *("Topic > complaint", "Topic > praise", "Topic > other"),
        *("Urgent > yes", "Urgent > no"),
    )
    assert task.parts[1].after == (0,)
    praised = replay.targets[:, 1] == 1
    assert not replay.targets[praised, 3:].any()
    assert task.answers([0, 3]) == {"topic": [0], "urgent": [3]}
    assert task.answers([1]) == {"topic": [1]}


def test_answers_with_an_archived_label_are_left_out(complaints):
    other = complaints.labels.get(name="Topic > other")
    other.archived_at = complaints.created_at
    other.save()
    simulation = start(complaints, "neediest")
    work(simulation, pieces=1)
    assert simulation.facts["archived"] == ITEMS // 3
    assert simulation.facts["items"] == ITEMS - ITEMS // 3


def test_other_questions_make_other_data(complaints):
    one = start(complaints, "neediest")
    work(one)
    complaints.form_questions.filter(name="Urgent").update(only_if=[])
    other = start(complaints, "neediest")
    work(other)
    assert one.data_hash != other.data_hash


def test_a_form_is_learnt_by_its_own_students_and_from_the_project_alone(complaints):
    with pytest.raises(InvalidError, match="A student is one of head"):
        start(complaints, "neediest", student="finetune")
    with pytest.raises(InvalidError, match="import the file first"):
        simulations.create_simulation(
            complaints, wish("neediest"), file=BytesIO(b"text,label\n"), file_name="old.csv"
        )


def test_the_page_offers_what_fits_a_form(complaints, client, cast):
    client.force_login(cast.lea)
    page = client.get(f"/projects/{complaints.pk}/settings/strategy").content.decode()
    assert 'value="neediest"' in page
    assert 'name="file"' not in page
    assert "a labelled file" not in page
    wished = {**wish("neediest", "random").to_json(), "seeds": "1"}
    answer = client.post(f"/projects/{complaints.pk}/settings/strategy", wished)
    assert answer.status_code == 302, answer.content.decode()


def test_answers_with_none_of_several_labels_are_replayed_too(cast):
    made = projects.create_project(cast.lea, "Tags", task_type="form", audit_share=0)
    tags = [("cost", ""), ("login", "")]
    form_questions.add_question(made, "Tags", kind="multi", labels=tags)
    make_items(made, [f"letter number {number}" for number in range(ITEMS)])
    points, group = three_groups(ITEMS, 4)
    encode(made, points)
    pks = list(ids(made).values())
    for item in made.items.order_by("number"):
        Verdict.objects.create(
            item=item,
            project=made,
            labels=pks[group[item.number] : group[item.number] + 1],
            state=VerdictState.DECIDED,
            source=VerdictSource.CONSENSUS,
            position=1,
        )
    assert Verdict.objects.filter(project=made, labels=[]).exists()
    simulation = start(made, "random", seeds=1, start=12)
    work(simulation)
    assert (simulation.state, simulation.error) == ("done", "")
    assert (simulation.facts["items"], simulation.facts["archived"]) == (ITEMS, 0)


def test_a_question_that_waits_for_what_does_not_occur_is_left_out_with_those_that_wait_for_it():
    def question(key, labels, after=()):
        return Question(key=key, name=key, kind="single", labels=labels, after=after)

    topic, urgent = question("topic", (1, 2)), question("urgent", (3, 4), after=(1,))
    why, tone = question("why", (5, 6), after=(3,)), question("tone", (7, 8), after=(2,))
    asked = [topic, urgent, why, tone]
    assert form_replays.occurring(asked, {2, 3, 4, 5, 6, 7}) == [topic, tone]
    assert form_replays.occurring(asked, {1, 2, 3, 5, 7}) == asked
    assert form_replays.occurring(asked, {1, 2, 5}) == [topic]
