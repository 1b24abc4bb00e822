"""Agreement beyond chance, on examples whose results were published, and by what must hold."""

import numpy as np
import pytest

from learning.consensus.agreement import (
    Answers,
    Grades,
    about,
    answers_of,
    cohen,
    fleiss,
    jaccard,
    krippendorff,
    masi,
    nominal,
    pairs,
)
from learning.errors import ShapeError


def from_table(rows: list[str]) -> Answers:
    """One row per voice, one letter per item, a dot where it is missing."""
    return answers_of(
        [
            (item, voice, [ord(said)])
            for voice, row in enumerate(rows)
            for item, said in enumerate(row)
            if said != "."
        ]
    )


def from_counts(table: list[list[int]]) -> Answers:
    """One row per item: how many voices chose each label."""
    said = []
    for item, counts in enumerate(table):
        labels = np.repeat(np.arange(len(counts)), counts)
        said += [(item, voice, [int(label)]) for voice, label in enumerate(labels)]
    return answers_of(said)


class TestPublishedExamples:
    def test_krippendorff_of_2011(self) -> None:
        """Computing Krippendorff's alpha-reliability, part C: four voices, twelve items."""
        table = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
        found = krippendorff(from_table(table))
        assert found.value == pytest.approx(0.743, abs=0.0005)
        assert (found.items, found.answers) == (11, 40)

    def test_krippendorff_of_2011_by_the_ordinal_metric(self) -> None:
        """Part D of the same paper, on the table of part C, whose grades stand in any order here."""
        table = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
        scale = Grades(places={ord(grade): place for place, grade in enumerate("12345")})
        found = krippendorff(from_table(table), np.random.default_rng(0), scale)
        assert found.value == pytest.approx(0.815, abs=0.0005)
        assert found.low is not None
        assert found.low < 0.815 < (found.high or 0)

    def test_krippendorff_of_two_voices_and_binary_answers(self) -> None:
        """The same paper, part A."""
        found = krippendorff(from_table(["0100000010", "1110010000"]))
        assert found.value == pytest.approx(0.095, abs=0.0005)

    def test_krippendorff_of_two_voices_and_five_labels(self) -> None:
        """The same paper, part B."""
        found = krippendorff(from_table(["aabbdcccedda", "babbbccceddd"]))
        assert found.value == pytest.approx(0.692, abs=0.0005)

    def test_fleiss_of_1971(self) -> None:
        """The worked example of fourteen voices on ten items, five labels."""
        table = [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ]
        assert fleiss(from_counts(table)).value == pytest.approx(0.210, abs=0.0005)

    def test_cohen_of_fifty_proposals(self) -> None:
        one = "y" * 25 + "n" * 25
        other = "y" * 20 + "n" * 5 + "y" * 10 + "n" * 15
        found = cohen(from_table([one, other]), 0, 1)
        assert found.value == pytest.approx(0.4)
        assert found.same == pytest.approx(0.7)

    def test_masi(self) -> None:
        """Passonneau 2006: identity, inclusion, intersection, nothing in common."""
        a, b, c = frozenset("ab"), frozenset("abc"), frozenset("bc")
        assert masi(a, a) == 0
        assert masi(a, b) == pytest.approx(1 - 2 / 3 * 2 / 3)
        assert masi(a, c) == pytest.approx(1 - 1 / 3 * 1 / 3)
        assert masi(a, frozenset("d")) == 1
        assert jaccard(frozenset(), frozenset()) == masi(frozenset(), frozenset()) == 0


def random_answers(seed: int, *, agree: float = 0.6, items: int = 80) -> Answers:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, items)
    said = [
        (item, voice, [int(truth[item]) if rng.random() < agree else int(rng.integers(4))])
        for item in range(items)
        for voice in range(4)
        if rng.random() < 0.7
    ]
    return answers_of(said)


class TestWhatMustHold:
    @pytest.mark.parametrize("seed", range(3))
    def test_order_and_names_do_not_matter(self, seed: int) -> None:
        given = random_answers(seed)
        rng = np.random.default_rng(seed)
        rows, voice, item = (
            rng.permutation(len(given.item)),
            rng.permutation(4),
            rng.permutation(80),
        )
        values = [frozenset({9 - label for label in value}) for value in given.values]
        other = Answers(
            item=item[given.item][rows],
            annotator=voice[given.annotator][rows],
            value=given.value[rows],
            values=values,
        )
        for coefficient in (krippendorff, fleiss):
            one, two = coefficient(given), coefficient(other)
            assert one.value == pytest.approx(two.value)
            assert one.same == pytest.approx(two.same)
        mine = cohen(given, 0, 1)
        theirs = cohen(other, int(voice[1]), int(voice[0]))
        assert mine.value == pytest.approx(theirs.value)

    def test_all_equal_to_chance_to_full_agreement(self) -> None:
        chance = krippendorff(random_answers(0, agree=0, items=600))
        some = krippendorff(random_answers(0, agree=0.6, items=600))
        full = krippendorff(random_answers(0, agree=1, items=600))
        assert chance.value == pytest.approx(0, abs=0.06)
        assert 0.2 < (some.value or 0) < 0.6
        assert full.value == pytest.approx(1)

    def test_the_interval_covers_about_as_often_as_it_says(self) -> None:
        truth = krippendorff(random_answers(999, items=6000)).value
        assert truth is not None
        covered = 0
        for seed in range(120):
            found = krippendorff(random_answers(seed), np.random.default_rng(seed))
            assert found.low is not None
            assert found.high is not None
            covered += found.low <= truth <= found.high
        assert covered / 120 > 0.89

    def test_sets_that_overlap_disagree_less(self) -> None:
        said = [(item, voice, [item % 3, 3 + voice]) for item in range(30) for voice in range(2)]
        given = answers_of(said)
        strict, soft, softer = (
            krippendorff(given, distance=each).value or 0 for each in (nominal, masi, jaccard)
        )
        assert strict < soft < 1
        assert strict < softer < 1

    def test_one_label_at_a_time(self) -> None:
        given = answers_of(
            [(i, v, [0, 1] if v or i % 2 else [0]) for i in range(40) for v in (0, 1)]
        )
        assert about(given, 0).values == (frozenset(), frozenset({0}))
        assert krippendorff(about(given, 0)).value is None, "all say yes: chance cannot be told"
        assert krippendorff(about(given, 0)).same == 1
        assert (krippendorff(about(given, 1)).value or 0) < 0.1

    def test_pairs_count_common_items(self) -> None:
        given = from_table(["aab.", "aa..", ".aba"])
        assert pairs(given) == [(0, 1, 2), (0, 2, 2), (1, 2, 1)]
        assert pairs(given, fewest=2) == [(0, 1, 2), (0, 2, 2)]


class TestTooLittle:
    def test_nobody_answered_twice(self) -> None:
        found = krippendorff(from_table(["ab..", "..ab"]), np.random.default_rng(0))
        assert (found.value, found.low, found.same, found.items) == (None, None, None, 0)
        assert fleiss(answers_of([])).items == 0
        assert cohen(from_table(["ab..", "..ab"]), 0, 1).value is None

    def test_few_items_have_no_interval(self) -> None:
        found = krippendorff(from_table(["abababab", "abababba"]), np.random.default_rng(0))
        assert found.value is not None
        assert found.low is None
        assert found.high is None

    def test_misshapen_answers_are_refused(self) -> None:
        with pytest.raises(ShapeError, match="one of the values"):
            Answers(
                item=np.zeros(1, dtype=int),
                annotator=np.zeros(1, dtype=int),
                value=np.ones(1, dtype=int),
                values=(frozenset({1}),),
            )
