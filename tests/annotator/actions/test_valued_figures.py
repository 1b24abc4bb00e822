"""Honest numbers where answers are more than labels: F1 of spans, pairs in order, and what comes next."""

import numpy as np
import pytest
from django.urls import reverse

from annotator.actions.desk import assigning
from annotator.actions.figures import advising, domains, estimating
from annotator.actions.queue import auditing
from annotator.actions.students import promoting, sheets
from annotator.errors import ConflictError
from annotator.models import AuditSheet, Item, Part, Project
from learning.spans import spans_of
from learning.spans.scores import counts, micro_f1
from learning.students.predictions import Predictions
from tests.annotator.audited import answer_all, running, version
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db

DRAWN, ITEMS = 100, 300


def spans(*edges):
    """Spans of one label, which `place` names."""
    return {"spans": [{"start": a, "end": b, "label": edges[0]} for a, b in edges[1:]]}


@pytest.fixture
def marked(cast):
    """Notices with two words each to mark, 100 of them drawn and answered; some have nothing to mark."""
    project = make_project(cast, labels=("Place",), task_type="spans", audit_share=0.1)
    make_items(project, [f"note {number} from here" for number in range(ITEMS)])
    place = project.labels.get()
    return drawn(project, cast, {n: _marks(place.pk, n) for n in range(ITEMS)})


def _marks(label, number):
    return spans(label, (0, 4), (5, 6)) if number % 5 else spans(label)


def drawn(project, cast, truth):
    order = list(Item.objects.filter(project=project).order_by("order_key"))
    values = [truth[item.number] for item in order[:DRAWN]]
    ana = assigning.voice_of(project, cast.ana)
    answer_all(project, ana, order[:DRAWN], values=values)
    Item.objects.filter(pk__in=[item.pk for item in order[:DRAWN]]).update(part=Part.EVALUATION)
    Project.objects.filter(pk=project.pk).update(
        audit_cutoff=order[DRAWN - 1].order_key, audit_size=DRAWN
    )
    project.refresh_from_db()
    return project, truth, [item.number for item in order]


def learn(project, number, told, trained_on):
    """A version that says these values, and its sheet."""
    made = version(project, number, trained_on)
    labels = len(made.label_ids)
    nothing = Predictions(
        labels=labels,
        multi_label=True,
        probabilities=np.zeros((ITEMS, labels), np.float32),
        margins=np.ones(ITEMS, np.float32),
        entropies=np.zeros(ITEMS, np.float32),
    )
    sheets.write(running(project, "train"), made, nothing, [], told)
    project.current_student = made
    project.save(update_fields=["current_student"])
    return made


def taught(project, truth, order, *, number, trained_on, wrong):
    """A version that misses the second word of so many drawn notices."""
    label = project.labels.get().pk
    missed = set(order[:wrong])
    return learn(
        project,
        number,
        lambda n: spans(label, (0, 4)) if n in missed and n % 5 else truth[n],
        trained_on,
    )


def grown(project, truth, order):
    for number, wrong in enumerate((95, 84, 72, 60, 52, 44, 38, 33), 1):
        taught(project, truth, order, number=number, trained_on=25 * number, wrong=wrong)


class TestSpans:
    def test_the_figure_is_the_f1_of_all_spans_of_the_drawn_items(self, marked):
        project, truth, order = marked
        made = taught(project, truth, order, number=1, trained_on=60, wrong=40)
        figures = estimating.compute(project, made)
        sheet = AuditSheet.objects.get(version=made)
        said = dict(zip(sheet.numbers, sheet.values, strict=True))
        table = counts(
            [spans_of(truth[n]) for n in order[:DRAWN]], [spans_of(said[n]) for n in order[:DRAWN]]
        )
        assert figures["measure"] == "span_f1"
        assert figures["accuracy"]["value"] == pytest.approx(micro_f1(table))
        assert figures["accuracy"]["low"] < micro_f1(table) < figures["accuracy"]["high"]
        assert (figures["accuracy"]["n"], figures["evaluated_on"]) == (DRAWN, DRAWN)
        assert figures["macro_f1"] is None
        (place,) = figures["labels"]
        both, _, true = table.sum(axis=0)
        assert place["recall"]["value"] == pytest.approx(both / true)
        assert place["precision"]["value"] == 1
        assert place["recall"]["n"] == sum(n % 5 > 0 for n in order[:DRAWN]), (
            "items with such spans"
        )

    def test_the_curve_is_forecast_and_the_next_answers_are_advised(self, marked):
        project, truth, order = marked
        grown(project, truth, order)
        figures = estimating.compute(project, project.current_student)
        values = [each["accuracy"]["value"] for each in figures["curve"]]
        assert values == sorted(values)
        assert len(values) == 8
        assert figures["forecast"][0]["labels"] == 200
        gain = figures["next"]["gain"]
        assert gain["low"] < gain["gain"] < gain["high"]
        said = advising.sentence(project, figures)
        assert said.startswith("Tickets: an F1 of spans of 91 %, between 87 and 94 %")
        assert "the next 100 answers should add about" in said

    def test_progress_shows_it_and_asks_for_no_shares_by_column(self, marked, cast, client):
        project, truth, order = marked
        grown(project, truth, order)
        estimating.run_estimate(running(project))
        client.force_login(cast.lea, backend="allauth.account.auth_backends.AuthenticationBackend")
        page = client.get(reverse("progress", args=[project.pk])).content.decode()
        assert "F1 of spans on 100 drawn items" in page
        assert "The next 100 answers add" in page
        assert "macro-F1" not in page
        Item.objects.filter(project=project).update(meta={"channel": "mail"})
        with pytest.raises(ConflictError):
            domains._require_enough(project)

    def test_a_versions_page_has_its_figure_its_labels_and_the_curve(self, marked, cast, client):
        project, truth, order = marked
        grown(project, truth, order)
        client.force_login(cast.lea, backend="allauth.account.auth_backends.AuthenticationBackend")
        found = client.get(reverse("student", args=[project.pk, 3]))
        page = found.content.decode()
        assert "F1 of spans, on 100 items drawn at random" in page
        assert "of the spans with the label" in page
        assert "Every version of this kind on the same items" in page
        assert "Confusions" not in page
        assert found.context["found"].score.right == DRAWN - sum(n % 5 > 0 for n in order[:72])

    def test_spans_of_an_archived_label_count_no_more(self, marked, cast):
        project, truth, order = marked
        made = taught(project, truth, order, number=1, trained_on=60, wrong=40)
        project.labels.update(archived_at="2026-01-01T00:00Z")
        figures = estimating.compute(project, made)
        assert (figures["accuracy"], figures["curve"]) == (None, []), "nothing is left to say"

    def test_a_version_of_before_there_were_values_is_not_judged(self, marked):
        project, truth, order = marked
        taught(project, truth, order, number=1, trained_on=60, wrong=40)
        AuditSheet.objects.update(values=None)
        made = taught(project, truth, order, number=2, trained_on=80, wrong=30)
        figures = estimating.compute(project, made)
        assert [each["student"] for each in figures["curve"]] == [2]

    def test_two_versions_are_compared_item_by_item_also_without_their_files(self, marked):
        project, truth, order = marked
        worse = taught(project, truth, order, number=1, trained_on=60, wrong=80)
        better = taught(project, truth, order, number=2, trained_on=80, wrong=10)
        for each in (worse, better):
            each.folder = ""
            each.save(update_fields=["folder"])
        found = promoting.paired(project, better, worse)
        wrong = sum(n % 5 > 0 for n in order[10:80])
        assert (found.wins, found.losses, found.n) == (wrong, 0, DRAWN)
        assert len(auditing.answered(project, Part.EVALUATION)) == DRAWN


def test_orders_are_foretold_by_their_pairs(cast):
    project = make_project(cast, labels=(), task_type="ranking", item_kind="list", audit_share=0.1)
    make_items(project, ITEMS)
    Item.objects.filter(project=project).update(candidates=["a", "b", "c"])
    right, turned = {"order": [[1], [2], [3]]}, {"order": [[2], [1], [3]]}
    project, _, order = drawn(project, cast, dict.fromkeys(range(ITEMS), right))
    for number, wrong in enumerate((80, 66, 54, 45, 36, 30, 24, 20), 1):
        missed = set(order[:wrong])
        learn(project, number, lambda n, off=missed: turned if n in off else right, 25 * number)
    figures = estimating.compute(project, project.current_student)
    assert figures["measure"] == "pairs_right"
    assert figures["accuracy"]["value"] == pytest.approx(1 - 20 / 100 / 3)
    assert figures["next"]["gain"] is not None
    assert "% of pairs in the right order" in advising.sentence(project, figures)
