"""A labelled file replayed: the curve rises, is the same every time, and says what is wrong."""

import gzip
import io
import json
import re

import pytest
from django.core.management import CommandError, call_command

from annotator import jobs
from annotator.models import Job, Simulation
from tests.annotator.actions.test_loop import WORDS
from tests.annotator.simulated import labelled_project


def run(*words):
    out, err = io.StringIO(), io.StringIO()
    call_command("simulate", *map(str, words), stdout=out, stderr=err)
    return [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


@pytest.fixture
def labelled(tmp_path):
    """240 tickets, and a few rows that nobody labelled."""
    path = tmp_path / "train.jsonl.gz"
    with gzip.open(path, "wt") as stream:
        for n in range(240):
            name = list(WORDS)[n % 3]
            words = WORDS[name].split()
            text = f"{words[n % 7]} {words[(n * 3 + 1) % 7]} {words[(n * 5 + 2) % 7]} {n}"
            stream.write(json.dumps({"id": n, "text": text, "label": name}) + "\n")
        stream.write(json.dumps({"id": "x", "text": "nobody knows", "label": None}) + "\n")
    return path


SMALL = '{"components": 16, "features": 4096}'
ENCODER = ("--encoder", "tfidf-svd", "--encoder-params", SMALL)
QUICK = (*ENCODER, "--start", 6, "--batch", 40, "--labels", 46)


class TestSimulate:
    @pytest.mark.parametrize("strategy", ["random", "margin"])
    def test_draws_a_rising_curve(self, labelled, strategy):
        points, told = run(labelled, "--strategy", strategy, *QUICK)
        assert [point["labels"] for point in points] == [6, 46]
        assert points[-1]["accuracy"] > 0.9
        assert points[-1]["accuracy"] >= points[0]["accuracy"]
        assert points[-1]["low"] < points[-1]["accuracy"] <= points[-1]["high"]
        assert points[-1]["strategy"] == strategy
        assert points[0]["strategy"] == ("random" if strategy == "random" else "representatives")
        assert "1 without a label left out" in told

    def test_the_same_seed_gives_the_same_curve(self, labelled):
        def curve():
            return [{**p, "seconds": 0} for p in run(labelled, "--seeds", 2, *QUICK)[0]]

        first = curve()
        assert first == curve()
        assert {point["seed"] for point in first} == {0, 1}

    def test_takes_another_file_to_test_on(self, labelled, tmp_path):
        test = tmp_path / "test.csv"
        test.write_text("text,label\ninvoice payment,Billing\nparcel late,Delivery\n")
        points, _ = run(labelled, "--test", test, *QUICK)
        assert {point["tested"] for point in points} == {2}

    def test_equal_texts_are_never_on_both_sides(self, tmp_path):
        path = tmp_path / "twins.csv"
        lines = [f"text number {n // 2},{'ab'[n // 2 % 2]}" for n in range(60)]
        path.write_text("\n".join(["text,label", *lines]))
        _, told = run(path, *QUICK)
        pool, test = sizes(told)
        assert pool % 2 == test % 2 == 0
        assert pool + test == 60

    def test_reads_several_labels(self, tmp_path):
        path = tmp_path / "multi.jsonl"
        rows = [
            {"text": f"{word} {n}", "labels": ["a", "b"] if n % 3 == 0 else ["a" if n % 2 else "b"]}
            for n in range(60)
            for word in ("late", "invoice")
        ]
        path.write_text("\n".join(json.dumps(row) for row in rows))
        points, _ = run(path, *QUICK)
        assert points[-1]["labels"] == 46
        assert 0 <= points[-1]["accuracy"] <= 1

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ("", "empty"),
            (
                "text,label\nonly,one\nonly two,one\nthree,one\nfour,one\nfive,one\n",
                "two different",
            ),
            ("text,topic\na,\nb,\n", "no labelled row"),
        ],
    )
    def test_says_in_one_sentence_what_is_wrong(self, tmp_path, content, told):
        path = tmp_path / "bad.csv"
        path.write_text(content)
        with pytest.raises(CommandError, match=told):
            run(path, *QUICK)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(CommandError, match="cannot be read"):
            run(tmp_path / "none.csv")


class TestCompare:
    def test_a_line_for_each_strategy_follows_the_points(self, labelled):
        lines, _ = run(labelled, "--strategies", "margin,random", "--seeds", 2, *QUICK)
        points = [line for line in lines if "comparison" not in line]
        assert [(p["run"], p["seed"], p["labels"]) for p in points] == [
            (strategy, seed, labels)
            for seed in (0, 1)
            for strategy in ("margin", "random")
            for labels in (6, 46)
        ]
        assert {point["strategy"] for point in points[::2]} == {"representatives"}
        assert points[0]["accuracy"] == points[2]["accuracy"], "the same start"
        compared = lines[len(points) :]
        assert {line["comparison"] for line in compared} == {"margin", "random"}
        for line in compared:
            assert line["seeds"] == 2
            assert line["low"] <= line["area"] <= line["high"]
            assert line["labels_to_95"] is None or line["labels_to_90"] <= line["labels_to_95"]
            assert line["full"] > 0.9
        by_name = {line["comparison"]: line for line in compared}
        assert by_name["random"]["difference_to_random"] is None
        assert by_name["margin"]["difference_to_random"]["count"] == 2
        assert sum(line["recommended"] for line in compared) == 1
        assert by_name["margin"]["pick_seconds"] > 0

    def test_a_strategy_alone_prints_points_only(self, labelled):
        points, _ = run(labelled, "--strategy", "margin", *QUICK)
        assert all("run" not in point and "comparison" not in point for point in points)

    def test_the_cold_start_is_a_choice(self, labelled):
        points, _ = run(labelled, "--strategies", "margin,random", "--cold-start", "random", *QUICK)
        assert points[0]["strategy"] == "random"

    @pytest.mark.parametrize(
        ("name", "told"),
        [
            ("magic", "There is no strategy “magic”; there are: .*, mixed, "),
            ("random", "named twice"),
            ("rad", "cannot be replayed"),
            ("expected-variance", "does not fit the answers of the file"),
        ],
    )
    def test_a_strategy_that_cannot_be_is_one_sentence(self, labelled, name, told):
        with pytest.raises(CommandError, match=told):
            run(labelled, "--strategies", f"random,{name}", *QUICK)


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--seeds", -1, "--seeds is 1 or more, not -1"),
        ("--batch", 0, "--batch is 1 or more, not 0"),
        ("--start", 0, "--start is 1 or more"),
        ("--test-share", 1.5, "test share lies between"),
        ("--student", "magic", "There is no student “magic”; there are: .*head"),
        ("--strategies", "margin,magic", "There is no strategy “magic”"),
    ],
)
def test_what_cannot_be_is_refused_before_a_file_is_read(tmp_path, option, value, told):
    with pytest.raises(CommandError, match=told):
        run(tmp_path / "is not there.csv", option, value)


@pytest.mark.django_db(transaction=True)
class TestProject:
    CHOICES = ("--strategies", "margin,random", "--seeds", 2, *QUICK[len(ENCODER) :])

    @pytest.fixture(autouse=True)
    def silent(self, monkeypatch):
        monkeypatch.setattr(jobs, "ring", lambda *args, **kwargs: None)

    def test_a_projects_labels_are_replayed_and_the_result_is_kept_there(self, cast):
        project = labelled_project(cast)
        lines, told = run("--project", project.pk, *self.CHOICES)
        points = [line for line in lines if "comparison" not in line]
        assert len(points) == 8
        assert {point["run"] for point in points} == {"margin", "random"}
        assert [line["comparison"] for line in lines[8:]] in (
            ["margin", "random"],
            ["random", "margin"],
        )
        simulation = Simulation.objects.get()
        assert simulation.state == "done"
        assert simulation.settings["budget"] == 46
        assert f"Simulation {simulation.pk} of Tickets" in told

    def test_what_the_project_refuses_is_one_sentence(self, cast):
        project = labelled_project(cast, 20)
        with pytest.raises(CommandError, match="this project has 20"):
            run("--project", project.name, *self.CHOICES)

    def test_an_interrupted_command_stops_the_simulation(self, cast, monkeypatch):
        def interrupt(job_id):
            raise KeyboardInterrupt

        monkeypatch.setattr(jobs, "execute", interrupt)
        project = labelled_project(cast)
        with pytest.raises(KeyboardInterrupt):
            run("--project", project.pk, *self.CHOICES)
        assert Simulation.objects.get().state == "cancelled"
        assert Job.objects.get(kind="simulate").state == "cancelled"

    def test_a_file_or_a_project_not_both(self, labelled):
        for words in ((), (labelled, "--project", 1)):
            with pytest.raises(CommandError, match="one of the two"):
                run(*words)


def sizes(told):
    """(items to label, items to test) as the command notes them."""
    found = re.search(r"(\d+) items to label, (\d+) to test", told)
    return int(found[1]), int(found[2])
