"""A labelled file replayed: the curve rises, is the same every time, and says what is wrong."""

import gzip
import io
import json
import re

import pytest
from django.core.management import CommandError, call_command

from tests.annotator.actions.test_loop import WORDS


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


QUICK = ("--encoder", "tfidf-svd", "--start", 6, "--batch", 40, "--labels", 46)


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


def sizes(told):
    """(items to label, items to test) as the command notes them."""
    found = re.search(r"(\d+) items to label, (\d+) to test", told)
    return int(found[1]), int(found[2])
