"""A project's head starts from another project's answers about labels that mean the same."""

import json

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders.encoding import students_folder
from annotator.actions.projects import projects, purging
from annotator.actions.projects.schema import columns_of
from annotator.actions.students import distilling, sheets, training, warm_starts, warming
from annotator.errors import ConflictError, InvalidError
from annotator.models import (
    Encoding,
    Item,
    Job,
    Label,
    Membership,
    Part,
    Project,
    StudentVersion,
    WarmStart,
)
from annotator.web import besides
from learning.students.head import Head
from tests.annotator.audited import answer_all
from tests.annotator.pages import Client
from tests.annotator.warmed import DIMENSIONS, KINDS, ours, sample, start, theirs, train, weights
from tests.annotator.web.helpers import encode
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


def test_few_answers_go_further_and_every_place_says_where_it_came_from(cast):
    source, (project, kinds) = theirs(cast), ours(cast)
    sample(project, cast, kinds, range(20, 80))
    alone = train(project)
    assert start(project, source, cast.lea).result["labels"] == 2
    assert Job.objects.filter(project=project, kind="train", state="queued").exists()
    made = train(project)
    told = made.beside["warm"]
    assert (told["used"], told["labels"], told["source"]) == (True, 2, "Old")
    assert told["bought"]["difference"] >= 0
    assert made.accuracy >= alone.accuracy
    assert made.trained_on == alone.trained_on, "its answers enter no lesson here"
    assert "began with 2 labels of “Old”" in distilling.learned(made)
    assert "What that bought: the head is" in besides.told(project, made)
    manifest = json.loads((students_folder(project.pk) / made.folder / "manifest.json").read_text())
    assert manifest["beside"]["warm"]["source"] == "Old"
    plain = weights(distilling.plain_folder(made))
    np.testing.assert_allclose(
        plain, weights(students_folder(project.pk) / alone.folder), atol=1e-2
    )
    assert set(made.label_ids) == set(columns_of(project).label_ids), "no label of theirs is here"


def test_a_matched_label_that_nobody_gave_there_begins_with_its_name_alone(cast):
    source, (project, _) = theirs(cast), ours(cast)
    never = Label.objects.create(project=source, column=3, key="login", name="Login", position=3)
    assert never.pk in warm_starts.suggested(project, source)
    assert start(project, source, cast.lea).result["labels"] == 2
    found = warming.start_of(project)
    assert [one["called"] for one in found.matches] == ["Billing", "delivery"]
    assert weights(warming.folder_of(found)).shape[1] == 2


def test_with_a_sample_it_is_not_chosen_anew_how_much_it_counts_until_there_are_more_answers(cast):
    source, (project, kinds) = theirs(cast), ours(cast, answered=30)
    start(project, source, cast.lea)
    told = train(project).beside["warm"]
    assert (told["held_out"] is None, told["choice"]["rows"]) == (False, 30)
    sample(project, cast, kinds, range(40, 100))
    before = StudentVersion.objects.get(project=project)
    before.beside["warm"]["choice"]["strength"] = 7.0
    before.save()
    told = train(project).beside["warm"]
    assert ("bought" in told, told["choice"]["strength"]) == (True, 7.0)
    more = Item.objects.filter(project=project, number__in=range(30, 40)).order_by("number")
    answer_all(
        project,
        assigning.voice_of(project, cast.ana),
        list(more),
        [project.labels.get(name=KINDS[kinds[one.number]]).pk for one in more],
        "active",
    )
    told = train(project).beside["warm"]
    assert told["choice"]["rows"] == 40
    assert told["choice"]["strength"] != 7.0


def test_a_head_that_gives_several_labels_by_their_best_f1_does_so_as_well_with_a_beginning(cast):
    source = theirs(cast, task_type="multi")
    project, _ = ours(cast, answered=30, task_type="multi", best_f1=True)
    start(project, source, cast.lea)
    made = train(project)
    assert made.beside["warm"]["used"]
    cuts = {
        Head.load(folder).choice.cut
        for folder in (students_folder(project.pk) / made.folder, distilling.plain_folder(made))
    }
    assert len(cuts) == 2
    assert 0.5 not in cuts


def test_answers_about_labels_left_behind_never_reach_it(cast):
    source, (project, _) = theirs(cast), ours(cast)
    start(project, source, cast.lea)
    one = weights(warming.folder_of(warming.start_of(project)))
    praise = source.labels.get(name="Praise").pk
    matrix = training.open_matrix(Encoding.objects.get(project=source))
    numbers = [
        each.number for each in source.items.filter(verdict__labels=[praise]).order_by("number")
    ]
    assert len(numbers) > 20
    for number in numbers:
        matrix.write(number, -np.ones((1, DIMENSIONS), dtype=np.float32))
    start(project, source, cast.lea)
    np.testing.assert_array_equal(weights(warming.folder_of(warming.start_of(project))), one)
    match = {source.labels.get(name="Praise").pk: project.labels.get(name="Login").pk}
    start(project, source, cast.lea, warm_starts.suggested(project, source) | match)
    other = weights(warming.folder_of(warming.start_of(project)))
    assert np.abs(other[:, :2] - one).max() > 1e-3, "of a matched one they do"


def test_items_that_are_here_too_and_the_sample_there_are_never_learned(cast):
    source, (project, _) = theirs(cast), ours(cast)
    Item.objects.filter(project=source, number__in=[0, 1]).update(part=Part.EVALUATION)
    twin = Item.objects.get(project=source, number=3)
    Item.objects.filter(project=project, number=149).update(content_hash=twin.content_hash)
    start(project, source, cast.lea)
    found = warming.start_of(project)
    answered = [n for n in range(80) if n % 3 != 2]
    assert found.rows == len(set(answered) - {0, 1, 3})
    assert len(bytes(found.contents)) == 8 * found.rows


def test_a_sample_item_that_came_later_stops_it_and_judges_no_version_that_began_with_it(cast):
    source, (project, _) = theirs(cast), ours(cast)
    start(project, source, cast.lea)
    made = train(project)
    assert made.beside["warm"]["used"]
    (late,) = make_items(project, ["theirs 4"])
    late.refresh_from_db()
    assert sheets.unlearnt(made, [(late.number, [1]), (140, [1])], []) == [(140, [1])]
    encoding = Encoding.objects.get(project=project)
    assert warming.unfit(project, encoding, warming.start_of(project)) == ""
    Item.objects.filter(pk=late.pk).update(part=Part.EVALUATION)
    later = train(project)
    assert (later.beside["warm"]["used"], later.beside["warm"]["why"]) == (False, "sample")
    assert "take them over again" in besides.told(project, later)


def test_one_that_misleads_is_left_out_and_the_page_says_so(cast):
    source, (project, kinds) = theirs(cast), ours(cast, answered=3)
    sample(project, cast, kinds, range(20, 80))
    there = {label.name: label.pk for label in source.labels.all()}
    here = {label.name: label.pk for label in project.labels.all()}
    turned = {there["Billing"]: here["Delivery"], there["delivery"]: here["Billing"]}
    start(project, source, cast.lea, turned)
    made = train(project)
    assert made.beside["warm"]["why"] == "harm"
    assert distilling.plain_folder(made).name == made.folder
    assert "It did not begin with labels of “Old”: with them the head is" in besides.told(
        project, made
    )


@pytest.mark.django_db(transaction=True)
def test_it_stays_when_the_other_project_or_the_access_to_it_goes_and_ends_when_withdrawn(cast):
    source, (project, _) = theirs(cast), ours(cast)
    start(project, source, cast.lea)
    folder = warming.folder_of(warming.start_of(project))
    projects.delete_project(source)
    purging.purge_now(Project.objects.get(pk=source.pk))
    found = warming.start_of(project)
    assert (found.source, found.source_name) == (None, "Old")
    made = train(project)
    assert made.beside["warm"]["used"]
    client = Client()
    client.force_login(cast.lea)
    page = client.get(f"/projects/{project.pk}/students/start").content.decode()
    assert "From “Old”" in page
    assert "which is gone" in page
    client.post(f"/projects/{project.pk}/students/start/withdraw")
    assert not folder.exists()
    assert train(project).beside.get("warm") is None
    with pytest.raises(ConflictError, match="starts from no other"):
        warm_starts.withdraw(project)


def test_a_worker_that_comes_late_takes_nothing_over_once_it_was_withdrawn(cast):
    source, (project, _) = theirs(cast), ours(cast)
    job = warm_starts.begin(project, cast.lea, source.pk)
    warm_starts.withdraw(project)
    jobs.execute(job.pk)
    assert list(students_folder(project.pk).glob("warm.*")) == []
    assert WarmStart.objects.live().count() == 0


def test_only_projects_that_a_person_may_see_and_that_fit_are_offered_with_the_reason(cast):
    source, (project, _) = theirs(cast), ours(cast)
    hidden = make_project(cast, name="Hidden")
    Membership.objects.filter(project=hidden).delete()
    make_project(cast, name="Empty")
    grades = make_project(cast, name="Grades", task_type="rating", labels=("1", "2"))
    found = {one.project.name: one.trouble for one in warm_starts.sources(project, cast.lea)}
    assert set(found) == {"Old", "Empty"}
    assert (found["Old"], "has no student yet" in found["Empty"]) == ("", True)
    Encoding.objects.filter(project=source).update(fingerprint="another")
    with pytest.raises(ConflictError, match="Give both projects the same encoder"):
        warm_starts.begin(project, cast.lea, source.pk)
    Encoding.objects.filter(project=source).update(encoder="tfidf-svd")
    Project.objects.filter(pk=source.pk).update(encoder="tfidf-svd")
    with pytest.raises(ConflictError, match="is another one for each project"):
        warm_starts.begin(project, cast.lea, source.pk)
    with pytest.raises(InvalidError, match="may not see"):
        warm_starts.begin(project, cast.lea, hidden.pk)
    with pytest.raises(InvalidError, match="not spans, rankings"):
        warm_starts.begin(grades, cast.lea, source.pk)


@pytest.mark.parametrize(
    "address", ["api/v1/projects/{}/students/start/sources", "projects/{}/students/start"]
)
def test_many_projects_to_choose_from_take_as_many_queries_as_one(
    cast, address, django_assert_max_num_queries
):
    _, (project, _) = theirs(cast), ours(cast)
    client = Client()
    client.force_login(cast.lea)
    with CaptureQueriesContext(connection) as few:
        client.get("/" + address.format(project.pk))
    student = StudentVersion.objects.get()
    for number in range(3):
        other = make_project(cast, name=f"Other {number}")
        make_items(other, ["one", "two"])
        encode(other, np.ones((2, DIMENSIONS)), "alike")
        Project.objects.filter(pk=other.pk).update(current_student=student)
    with django_assert_max_num_queries(len(few)):
        page = client.get("/" + address.format(project.pk))
    assert "Other 2" in page.content.decode()


def test_labels_match_by_name_then_letters_then_accepted_words_and_never_twice(cast):
    source = make_project(cast, labels=("Billing", "log-in", "Parcel", "Praise"))
    project = make_project(cast, labels=("Billing", "Log in", "Delivery", "Thanks"))
    Label.objects.filter(project=project, name="Delivery").update(words=["parcel", "courier"])
    Label.objects.filter(project=project, name="Thanks").update(words=["billing"])
    names = dict(Label.objects.values_list("pk", "name"))
    found = {names[a]: names[b] for a, b in warm_starts.suggested(project, source).items()}
    assert found == {"Billing": "Billing", "log-in": "Log in", "Parcel": "Delivery"}
