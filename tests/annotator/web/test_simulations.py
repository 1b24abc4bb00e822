"""The strategy page: choosing, following, comparing, using, taking back."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from annotator import jobs
from annotator.actions.projects import projects
from annotator.actions.simulations import simulation_runs, simulations
from annotator.models import Item, Pick, Project, Simulation, StrategyChange
from tests.annotator.simulated import labelled_file, labelled_project, start, work
from tests.factories import make_project

pytestmark = pytest.mark.django_db(transaction=True)

FORM = {
    "strategies": ["margin", "random"],
    "seeds": "2",
    "start": "6",
    "batch": "20",
    "budget": "46",
    "cold_start": "representatives",
    "student": "head",
}


@pytest.fixture(autouse=True)
def silent(monkeypatch):
    monkeypatch.setattr(jobs, "ring", lambda *args, **kwargs: None)


@pytest.fixture
def tickets(cast):
    return labelled_project(cast)


@pytest.fixture
def over(tickets):
    simulation = start(tickets)
    work(simulation)
    return simulation


def recommend(simulation, strategy):
    difference = {"value": 0.02, "low": 0.01, "high": 0.03, "count": 2}
    simulation.advice = {
        "strategy": strategy,
        "best": strategy,
        "against": "margin",
        "clear": True,
        "current": "margin",
        "difference": difference,
    }
    simulation.save()


def url(project, rest="settings/strategy"):
    return f"/projects/{project.pk}/{rest}"


class TestForm:
    def test_every_strategy_is_offered_with_its_idea(self, lea, tickets):
        page = lea.get(url(tickets)).content.decode()
        offered = simulations.replayable(tickets)
        assert {"margin", "random", "mixed"} <= dict(offered).keys()
        assert page.count('name="strategies"') == len(offered)
        assert "Draw items uniformly without replacement, the yardstick of all others." in page
        assert 'value="margin" id="id_strategies' in page
        assert "rad" not in dict(offered), "verdicts do not tell where a teacher errs"

    def test_a_simulation_is_started_followed_and_read(self, lea, tickets, monkeypatch):
        monkeypatch.setattr(simulation_runs, "PIECE_SECONDS", 0.0)
        answer = lea.post(url(tickets), FORM)
        simulation = Simulation.objects.get()
        assert answer["Location"] == url(tickets, f"simulations/{simulation.pk}")
        assert simulation.settings["budget"] == 46
        assert b"Waiting for a worker" in lea.get(answer["Location"]).content
        state = url(tickets, f"simulations/{simulation.pk}/state")
        assert b"hx-swap-oob" not in lea.get(f"{state}?seen=0").content
        work(simulation, pieces=1)
        seen = lea.get(f"{state}?seen=0").content
        assert b"1 of 4 curves finished" in seen
        assert b"hx-swap-oob" in seen, "there is a curve more than the page shows"
        assert b"hx-swap-oob" not in lea.get(f"{state}?seen=1").content
        work(simulation)
        assert lea.get(state)["HX-Refresh"] == "true"
        page = lea.get(answer["Location"]).content.decode()
        assert 'id="simulation-state"' not in page
        assert 'role="img" aria-label="Accuracy by labels for each strategy' in page
        assert "Against random" in page
        assert "Smallest margin" in page

    def test_choices_that_cannot_be_are_refused(self, lea, tickets):
        for wrong in (
            {"strategies": []},
            {"strategies": ["rad"]},
            {"seeds": "0"},
            {"budget": "4"},
            {"start": ""},
        ):
            answer = lea.post(url(tickets), FORM | wrong)
            assert answer.status_code == 422, wrong
            assert not Simulation.objects.exists(), wrong

    def test_a_second_one_is_refused_with_who_is_at_it(self, lea, tickets, cast):
        start(tickets, user=cast.ben)
        answer = lea.post(url(tickets), FORM)
        assert answer.status_code == 422
        assert "started by ben, is still at work" in answer.content.decode()

    def test_without_labels_the_page_teaches_and_takes_a_file(self, lea, cast):
        small = {"components": 16, "features": 4096}
        project = make_project(cast, encoder="tfidf-svd", encoder_params=small)
        page = lea.get(url(project)).content.decode()
        assert "needs 50 items with a label; 0 items have one so far" in page
        assert lea.post(url(project), FORM).status_code == 422
        file = SimpleUploadedFile("old.csv", labelled_file().read(), content_type="text/csv")
        answer = lea.post(url(project), {**FORM, "file": file})
        assert answer.status_code == 302
        assert Simulation.objects.get().file_name == "old.csv"

    def test_a_wrong_file_is_told_where_it_was_chosen(self, lea, tickets):
        file = SimpleUploadedFile("old.csv", b"text,label\na,\n", content_type="text/csv")
        answer = lea.post(url(tickets), {**FORM, "file": file})
        assert answer.status_code == 422
        assert "No labels are found" in answer.content.decode()
        assert answer.context["form"].more_is_wrong()


class TestUse:
    def test_the_recommendation_is_one_button_and_can_be_taken_back(self, lea, over, cast):
        recommend(over, "random")
        here = url(over.project, f"simulations/{over.pk}")
        page = lea.get(here).content.decode()
        assert "Use “Random”: its curve lies 2.0 points" in page
        assert "Use it for this project" in page
        answer = lea.post(f"{here}/use", follow=True)
        assert Project.objects.get(pk=over.project_id).strategy == "random"
        page = answer.content.decode()
        assert "“Random” chooses from now on" in page
        assert "Use it for this project" not in page
        assert "Smallest margin → Random, by lea" in page
        assert "Back to Smallest margin" in page
        answer = lea.post(url(over.project, "settings/strategy/back"), follow=True)
        assert "“Smallest margin” chooses again" in answer.content.decode()
        assert Project.objects.get(pk=over.project_id).strategy == "margin"

    def test_what_came_too_late_is_said_not_broken(self, lea, over):
        here = url(over.project, f"simulations/{over.pk}")
        recommend(over, "margin")
        page = lea.post(f"{here}/use", follow=True).content.decode()
        assert "uses the recommended strategy already" in page
        assert "is over: done" in lea.post(f"{here}/cancel", follow=True).content.decode()
        back = lea.post(url(over.project, "settings/strategy/back"), follow=True)
        assert "nothing to take back" in back.content.decode()

    def test_another_strategy_is_chosen_in_the_settings(self, lea, tickets):
        page = lea.get(url(tickets)).content.decode()
        assert f'href="{url(tickets, "settings")}#id_strategy"' in page
        assert 'id="id_strategy"' in lea.get(url(tickets, "settings")).content.decode()

    def test_a_strategy_that_cannot_choose_says_why(self, lea, tickets):
        assert "fills the queue meanwhile" not in lea.get(url(tickets)).content.decode()
        told = (
            "“Smallest margin” cannot choose: The encodings must be finite numbers; some are not."
        )
        item = Item.objects.filter(project=tickets).first()
        Pick.objects.create(project=tickets, item=item, rank=1, reason=f"drawn at random. {told}")
        page = lea.get(url(tickets)).content.decode()
        assert f"Another strategy fills the queue meanwhile. {told}" in page

    def test_choosing_by_hand_is_in_the_trail(self, lea, tickets):
        from annotator.web.settings import _initial

        form = {name: value for name, value in _initial(tickets).items() if value is not False}
        lea.post(url(tickets, "settings"), form | {"strategy": "random"})
        change = StrategyChange.objects.get()
        assert (change.after, change.changed_by.username) == ("random", "lea")
        assert "Smallest margin → Random, by lea" in lea.get(url(tickets)).content.decode()


class TestFigures:
    def test_what_the_cold_start_reaches_already_is_told_as_a_bound(self, lea, over):
        over.full = {**over.full, "score": 0.05}
        over.save()
        page = lea.get(url(over.project, f"simulations/{over.pk}")).content.decode()
        assert page.count("≤ 6<") == 2 * len({run.strategy for run in over.runs.all()})

    def test_bands_are_promised_where_they_are_drawn(self, lea, over):
        page = lea.get(url(over.project, f"simulations/{over.pk}")).content.decode()
        assert "from 3 seeds on a band shows its 95 % interval" in page
        assert "the band is its" not in page


class TestCompare:
    def test_simulations_on_the_same_data_are_laid_over_each_other(self, lea, over):
        other = start(over.project, "margin", "representatives", seeds=3)
        work(other)
        here = url(over.project, f"simulations/{over.pk}")
        page = lea.get(here).content.decode()
        assert f"Simulation {other.pk}: margin, representatives" in page
        both = lea.get(f"{here}?with={other.pk}").content.decode()
        assert f"Smallest margin · {other.pk}" in both
        assert f"Smallest margin · {over.pk}" in both
        assert f"Figures of simulation {other.pk}" in both

    def test_others_are_not_mixed_in(self, lea, over, cast):
        stranger = start(labelled_project(cast, 120, name="Other"))
        work(stranger)
        page = lea.get(url(over.project, f"simulations/{over.pk}?with={stranger.pk}&with=x&with="))
        assert page.status_code == 200
        assert f" · {stranger.pk}" not in page.content.decode()

    def test_what_failed_or_was_cancelled_says_so(self, lea, tickets):
        simulation = start(tickets)
        simulations.cancel(simulation)
        page = lea.get(url(tickets, f"simulations/{simulation.pk}")).content.decode()
        assert "Cancelled after 0 of 4 curves" in page
        assert "No curve was finished" in page
        Simulation.objects.update(state="failed", error="Its worker died.")
        page = lea.get(url(tickets, f"simulations/{simulation.pk}")).content.decode()
        assert "Its worker died." in page
        assert "Its worker died." in lea.get(url(tickets)).content.decode()


def test_the_pages_are_for_managers(sign_in, cast, over):
    here = f"simulations/{over.pk}"
    for who in (cast.ana, cast.ben, cast.cleo):
        client = sign_in(who)
        for rest in ("settings/strategy", here, f"{here}/state"):
            assert client.get(url(over.project, rest)).status_code == 404, who
        for rest in (f"{here}/use", f"{here}/cancel"):
            assert client.post(url(over.project, rest)).status_code == 404, who


def test_the_number_of_queries_does_not_grow(lea, over, django_assert_max_num_queries, cast):
    for _ in range(6):
        Simulation.objects.create(
            project=over.project, state="done", settings=over.settings, created_by=cast.lea
        )
    projects.change_project(over.project, by=cast.lea, strategy="random")
    with django_assert_max_num_queries(16):
        lea.get(url(over.project))
