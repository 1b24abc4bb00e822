"""Simulations on a labelled file, in a project without labels."""

import io

import pytest

from annotator import jobs
from annotator.actions.imports import uploads
from annotator.actions.simulations import (
    replaying,
    simulations,
)
from annotator.errors import InvalidError
from annotator.models import (
    Project,
    Simulation,
)
from tests.annotator.simulated import finished, labelled_file, wish, work
from tests.factories import make_project

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_bells(monkeypatch):
    monkeypatch.setattr(jobs, "ring", lambda *_, **__: None)


class TestFiles:
    @pytest.fixture
    def empty(self, cast):
        small = {"components": 16, "features": 4096}
        return make_project(cast, encoder="tfidf-svd", encoder_params=small, name="Empty")

    def test_a_labelled_file_is_replayed_in_a_project_without_labels(self, empty, cast):
        simulation = simulations.create_simulation(
            empty, wish(), cast.lea, file=labelled_file(), file_name="old.csv"
        )
        kept = uploads.path_of(simulation.stored_name)
        assert kept.is_file()
        work(simulation)
        assert (simulation.state, simulation.error) == ("done", "")
        assert finished(simulation) == 4
        assert (simulation.facts["items"], simulation.facts["labels"]) == (90, 3)
        assert (simulation.position, simulation.file_name) == (0, "old.csv")
        assert not kept.exists(), "an upload is not kept for longer than it is needed"
        assert not list(replaying.folder_of(empty.pk).glob("*"))

    def test_the_same_file_has_the_same_hash(self, empty):
        found = []
        for _ in range(2):
            simulation = simulations.create_simulation(
                empty, wish("random", seeds=1), file=labelled_file(), file_name="old.csv"
            )
            work(simulation)
            found.append(simulation.data_hash)
        assert found[0] == found[1] != ""

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"", "empty"),
            (b"text,label\na,\nb,\n", "No labels are found"),
            (b"\x89PNG\r\n\x1a\n\x00\x00", ""),
        ],
    )
    def test_a_file_that_is_no_labelled_file_is_refused_at_once(self, empty, content, told):
        with pytest.raises(InvalidError, match=told) as refusal:
            simulations.create_simulation(
                empty, wish(), file=io.BytesIO(content), file_name="x.csv"
            )
        assert refusal.value.data["field"] == "file"
        assert not Simulation.objects.exists()

    def test_columns_may_be_named_and_are_checked(self, empty):
        named = wish(text="words", label="kind", seeds=1)
        simulation = simulations.create_simulation(
            empty, named, file=labelled_file(header="words,kind"), file_name="old.csv"
        )
        work(simulation)
        assert simulation.state == "done"
        with pytest.raises(InvalidError, match="no column “topic”"):
            simulations.create_simulation(
                empty, wish(label="topic"), file=labelled_file(), file_name="old.csv"
            )

    def test_too_short_a_file_ends_in_a_sentence(self, empty):
        simulation = simulations.create_simulation(
            empty, wish(), file=labelled_file(rows=30), file_name="old.csv"
        )
        work(simulation)
        assert simulation.state == "failed"
        assert "at least 50 items with a label; the file has 30" in simulation.error

    @pytest.mark.parametrize(
        ("task_type", "second", "told"),
        [
            ("multi", "Billing", "Every item of the file has one label"),
            ("single", "Billing|Login", "Some items of the file have several labels"),
        ],
    )
    def test_a_file_of_another_task_ends_in_a_sentence(self, empty, task_type, second, told):
        Project.objects.filter(pk=empty.pk).update(task_type=task_type)
        empty.refresh_from_db()
        lines = [f"ticket number {n},{('Login', second)[n % 2]}" for n in range(90)]
        simulation = simulations.create_simulation(
            empty,
            wish(),
            file=io.BytesIO("\n".join(["text,label", *lines]).encode()),
            file_name="old.csv",
        )
        work(simulation)
        assert simulation.state == "failed"
        assert told in simulation.error

    def test_cancelling_lets_the_upload_go(self, empty):
        simulation = simulations.create_simulation(
            empty, wish(), file=labelled_file(), file_name="old.csv"
        )
        kept = uploads.path_of(simulation.stored_name)
        simulations.cancel(simulation)
        assert not kept.exists()
