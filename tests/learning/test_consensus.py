"""Consensus by learnt skills: what it finds, what must not change it, and what few votes do to it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.learning.vectors import read_rows
from learning.consensus import CONSENSUS, LEARNING, WITH_STUDENT
from learning.consensus.skills import grown, skills_from_json, voice_to_json
from learning.errors import ShapeError
from learning.types import Consensus, Votes

each_learning = pytest.mark.parametrize("name", sorted(LEARNING))
each_method = pytest.mark.parametrize("name", CONSENSUS)
SKILLS = (0.95, 0.9, 0.6, 0.55, 0.5)


def crowd(
    seed: int = 0, *, items: int = 150, labels: int = 3, each: int = 4, skills: tuple = SKILLS
) -> tuple[Votes, np.ndarray]:
    """Votes of people of different skill, `each` of them on an item, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, items)
    item = np.repeat(np.arange(items), each)
    annotator = np.concatenate([rng.permutation(len(skills))[:each] for _ in range(items)])
    right = rng.random(len(item)) < np.array(skills)[annotator]
    wrong = (truth[item] + rng.integers(1, labels, len(item))) % labels
    said = np.where(right, truth[item], wrong)
    answers = np.eye(labels, dtype=np.float32)[said]
    return Votes(items=items, item=item, annotator=annotator + 10, answers=answers), truth


def as_multi(votes: Votes) -> Votes:
    return replace(votes, multi_label=True)


def only(votes: Votes, kept: np.ndarray) -> Votes:
    """These of the votes, by item."""
    rows = np.flatnonzero(kept)
    rows = rows[np.argsort(votes.item[rows], kind="stable")]
    item, annotator, answers = votes.item[rows], votes.annotator[rows], votes.answers[rows]
    weights = None if votes.weights is None else votes.weights[rows]
    known = None if votes.known is None else votes.known[rows]
    said = {"item": item, "annotator": annotator, "answers": answers}
    return replace(votes, **said, weights=weights, known=known)


def accuracy(found: Consensus, truth: np.ndarray) -> float:
    return float((found.answers.argmax(axis=1) == truth).mean())


class TestWhatIsFound:
    @each_learning
    def test_skill_beats_the_majority_and_is_told(self, name: str) -> None:
        votes, truth = crowd(items=300)
        method = CONSENSUS.create(name)
        majority = accuracy(CONSENSUS.create("majority").aggregate(votes), truth)
        assert accuracy(method.aggregate(votes), truth) > majority + 0.02
        learnt = method.fit(votes)
        assert learnt is not None
        told = [learnt.voices[10 + who].accuracy for who in range(len(SKILLS))]
        np.testing.assert_allclose(told, SKILLS, atol=0.08)

    def test_a_systematic_mistake_is_seen_through(self) -> None:
        """One voice says "b" for "a" always, and is otherwise the best: its "b" tells little."""
        votes, truth = crowd(items=400, each=3, skills=(0.98, 0.7, 0.7))
        said = votes.answers.argmax(axis=1)
        said[(votes.annotator == 10) & (truth[votes.item] == 0)] = 1
        votes = replace(votes, answers=np.eye(3, dtype=np.float32)[said])
        coin, full = (
            accuracy(CONSENSUS.create(name).aggregate(votes), truth)
            for name in ("one-coin", "dawid-skene")
        )
        assert full > coin + 0.05
        learnt = CONSENSUS.create("dawid-skene").fit(votes)
        assert learnt is not None
        counts = learnt.voices[10].counts
        assert counts is not None
        assert counts[0, 0, 1] > 5 * counts[0, 0, 0]

    @each_learning
    def test_several_labels_are_learnt_one_by_one(self, name: str) -> None:
        votes, truth = crowd(items=200)
        found = CONSENSUS.create(name).aggregate(as_multi(votes))
        right = found.answers == np.eye(3, dtype=bool)[truth]
        majority = CONSENSUS.create("majority").aggregate(as_multi(votes))
        usual = majority.answers == np.eye(3, dtype=bool)[truth]
        assert right.mean() > usual.mean()

    def test_a_student_counts_as_far_as_the_votes_bear_it_out(self) -> None:
        votes, truth = crowd(each=2)
        rng = np.random.default_rng(1)
        good = 0.8 * np.eye(3)[truth] + 0.2 * rng.dirichlet(np.ones(3), len(truth))
        chance = rng.dirichlet(np.ones(3), len(truth))
        method = CONSENSUS.create("student-aware")
        alone = accuracy(method.aggregate(votes), truth)
        helped = method.fit(replace(votes, probabilities=good))
        misled = method.fit(replace(votes, probabilities=chance))
        assert helped is not None
        assert misled is not None
        assert helped.sharpness > 0.7
        assert misled.sharpness < 0.15
        assert accuracy(method.aggregate(replace(votes, probabilities=good)), truth) > alone + 0.1
        found = method.aggregate(replace(votes, probabilities=chance))
        assert accuracy(found, truth) > alone - 0.03

    def test_a_student_alone_never_decides(self) -> None:
        votes, truth = crowd(each=1)
        p = 0.97 * np.eye(3)[truth] + 0.01
        method = CONSENSUS.create("student-aware")
        learnt = method.fit(replace(crowd(each=3)[0], probabilities=p))
        found = method.aggregate(replace(votes, probabilities=p), learnt)
        said = votes.answers.astype(bool)
        against = ~(found.answers & said).any(axis=1)
        assert against.any(), "the student is believed more than some single votes"
        assert found.tied[against].all(), "and then a reviewer is asked"
        silent = p.copy()
        silent[:] = np.nan
        unheard = method.aggregate(replace(votes, probabilities=silent), learnt)
        np.testing.assert_array_equal(unheard.answers, said)
        assert not unheard.tied.any()


class TestFewVotes:
    @each_learning
    def test_a_lone_annotator_is_taken_at_their_word(self, name: str) -> None:
        votes, _ = crowd(each=1, skills=(0.9,))
        found = CONSENSUS.create(name).aggregate(votes)
        np.testing.assert_array_equal(found.answers, votes.answers.astype(bool))
        assert not found.tied.any()
        sure = found.shares.max(axis=1)
        assert (sure > 0.6).all()
        assert (sure < 0.95).all(), "and never believed without a doubt"

    @each_learning
    def test_two_who_agree_are_believed_more_and_two_who_do_not_tie(self, name: str) -> None:
        answers = np.eye(4, dtype=np.float32)[[0, 0, 1, 2, 3]]
        votes = Votes(
            items=3,
            item=np.array([0, 0, 1, 1, 2]),
            annotator=np.array([1, 2, 1, 2, 1]),
            answers=answers,
        )
        found = CONSENSUS.create(name).aggregate(votes)
        assert found.tied.tolist() == [False, True, False]
        assert found.shares[0].max() > found.shares[2].max() + 0.05

    @each_method
    def test_no_votes_at_all(self, name: str) -> None:
        none = Votes(
            items=2,
            item=np.zeros(0, dtype=int),
            annotator=np.zeros(0, dtype=int),
            answers=np.zeros((0, 3)),
        )
        for votes in (none, as_multi(none)):
            found = CONSENSUS.create(name).aggregate(votes)
            assert not found.answers.any()
            assert not found.shares.any()
            assert not found.tied.any()

    @each_method
    def test_an_answer_whose_only_label_was_archived_is_tied(self, name: str) -> None:
        votes = Votes(
            items=1,
            item=np.zeros(1, dtype=int),
            annotator=np.zeros(1, dtype=int),
            answers=np.zeros((1, 3)),
        )
        assert CONSENSUS.create(name).aggregate(votes).tied.tolist() == [True]

    @each_learning
    def test_what_a_reviewer_settled_teaches_about_single_votes(self, name: str) -> None:
        """Two people never meet an item, but a reviewer settled some of each."""
        votes, truth = crowd(each=1, skills=(0.95, 0.5), items=200)
        settled = np.arange(200) < 120
        told = np.eye(3, dtype=bool)[truth] & settled[:, None]
        learnt = CONSENSUS.create(name).fit(replace(votes, truth=told, settled=settled))
        assert learnt is not None
        assert learnt.voices[10].accuracy > 0.85
        assert learnt.voices[11].accuracy < 0.65
        before = CONSENSUS.create(name).aggregate(votes).shares.max(axis=1)
        after = CONSENSUS.create(name).aggregate(votes, learnt).shares.max(axis=1)
        worse = votes.annotator[np.argsort(votes.item)] == 11
        assert after[worse].mean() < before[worse].mean() < after[~worse].mean()

    def test_a_doubtful_answer_speaks_for_each_label_in_part(self) -> None:
        votes, _ = crowd(items=60)
        soft = votes.answers * 0.7 + 0.1
        for name in LEARNING:
            learnt = CONSENSUS.create(name).fit(votes)
            sure = CONSENSUS.create(name).aggregate(votes, learnt).shares.max(axis=1)
            less = CONSENSUS.create(name).aggregate(replace(votes, answers=soft), learnt)
            assert less.shares.max(axis=1).mean() < sure.mean()

    def test_beside_a_full_vote_one_of_half_the_weight_is_half_the_evidence(self) -> None:
        votes, _ = crowd()
        said = np.eye(3, dtype=np.float32)[[0, 0, 0, 1]]
        pairs = Votes(
            items=3,
            item=np.array([0, 1, 2, 2]),
            annotator=np.array([10, 11, 10, 11]),
            answers=said[[0, 3, 0, 3]],
            weights=np.array([1.0, 0.5, 1.0, 0.5]),
        )
        for name in LEARNING - {"glad"}:
            learnt = CONSENSUS.create(name).fit(votes)
            assert learnt is not None
            shares = CONSENSUS.create(name).aggregate(pairs, learnt).shares.astype(float)
            full, other, both = np.log(shares[:, 0] / shares[:, 1])
            prior = np.log(learnt.shares[0, 0] / learnt.shares[0, 1])
            assert both - prior == pytest.approx((full - prior) + (other - prior) / 2, abs=1e-3)

    def test_skills_of_the_old_rule_take_half_a_weight_for_half_the_evidence_everywhere(
        self,
    ) -> None:
        votes, _ = crowd()
        for name in LEARNING - {"glad"}:
            learnt = CONSENSUS.create(name).fit(votes)
            assert learnt is not None
            known = grown(replace(learnt, relative_weights=False), 1, 3)
            odds = []
            for weight in (1.0, 0.5):
                given = replace(votes, weights=np.full(len(votes.item), weight))
                shares = CONSENSUS.create(name).aggregate(given, known).shares.astype(float)
                odds.append(np.log(shares[:, 0] / shares[:, 1]))
            prior = np.log(learnt.shares[0, 0] / learnt.shares[0, 1])
            kept = np.abs(odds[0]) < 10
            np.testing.assert_allclose(
                (odds[1] - prior)[kept], (odds[0] - prior)[kept] / 2, atol=0.02
            )

    @each_learning
    def test_skills_of_which_the_rule_was_not_stored_are_of_the_old_one(self, name: str) -> None:
        votes, _ = crowd()
        learnt = CONSENSUS.create(name).fit(votes)
        voices = {pk: voice_to_json(voice) for pk, voice in learnt.voices.items()}
        stored = learnt.to_json()
        assert skills_from_json(stored, voices).relative_weights
        del stored["relative_weights"]
        old = skills_from_json(stored, voices)
        assert not old.relative_weights
        assert not grown(old, 1, 4).relative_weights
        half = replace(votes, weights=np.full(len(votes.item), 0.5))
        method = CONSENSUS.create(name)
        found = [method.aggregate(half, skills).shares for skills in (old, learnt)]
        assert found[0].max(axis=1).mean() < found[1].max(axis=1).mean() - 0.02

    @each_learning
    def test_a_voice_is_light_only_beside_those_who_speak_about_the_same_label(
        self, name: str
    ) -> None:
        """A person was asked about the first label only; on the second one a file is alone."""
        votes, _ = crowd()
        learnt = CONSENSUS.create(name).fit(as_multi(votes))
        asked = Votes(
            items=2,
            item=np.array([0, 0, 1, 1]),
            annotator=np.array([10, 11, 10, 11]),
            answers=np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 1, 0]], dtype=np.float32),
            weights=np.array([1.0, 0.5, 1.0, 0.5]),
            known=np.array([[1, 0, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1]], dtype=bool),
            multi_label=True,
        )
        method = CONSENSUS.create(name)
        beside = method.aggregate(asked, learnt).shares
        full = method.aggregate(only(asked, asked.annotator == 11), learnt).shares
        np.testing.assert_allclose(beside[0, 1:], full[0, 1:], atol=1e-5)
        assert beside[0, 0] > full[0, 0] + 0.1, "where the person spoke the file gives way"

    @each_learning
    def test_a_voice_of_little_weight_is_believed_where_no_other_speaks(self, name: str) -> None:
        """Its weight says to whom it gives way; how often it is right its skill says."""
        votes, truth = crowd(items=200, each=2, skills=(0.97, 0.95))
        light = np.where(votes.annotator == 11, 0.5, 1.0)
        learnt = CONSENSUS.create(name).fit(replace(votes, weights=light))
        alone = replace(only(votes, votes.annotator == 11), weights=np.full(200, 0.5))
        found = CONSENSUS.create(name).aggregate(alone, learnt)
        right = accuracy(found, truth)
        assert abs(found.shares.max(axis=1).mean() - right) < 0.08

    @each_learning
    def test_where_voices_differ_the_lighter_one_still_gives_way(self, name: str) -> None:
        votes, _ = crowd(items=200, each=2, skills=(0.95, 0.95))
        light = replace(votes, weights=np.where(votes.annotator == 11, 0.5, 1.0))
        found = CONSENSUS.create(name).aggregate(light)
        theirs = only(votes, votes.annotator == 10).answers.argmax(axis=1)
        decided = ~found.tied
        assert decided.mean() > 0.95
        assert (found.answers.argmax(axis=1) == theirs)[decided].mean() > 0.98


class TestWhatMustNotMatter:
    @each_method
    def test_the_weight_that_all_votes_on_an_item_have(self, name: str) -> None:
        """A file of three voices shares one half: alone they decide as three people would."""
        votes, _ = crowd(items=60)
        per_item = np.random.default_rng(0).uniform(0.1, 3, 60)
        weighed = replace(votes, weights=per_item[votes.item])
        one, two = (CONSENSUS.create(name).aggregate(each) for each in (votes, weighed))
        np.testing.assert_allclose(two.shares, one.shares, atol=1e-5)
        np.testing.assert_array_equal(two.tied, one.tied)

    @each_method
    @pytest.mark.parametrize("multi_label", [False, True])
    @pytest.mark.parametrize("seed", range(3))
    def test_the_order_of_items_votes_and_labels_and_the_annotators_numbers(
        self, name: str, multi_label: bool, seed: int
    ) -> None:
        votes, _ = crowd(seed, items=60, labels=4)
        votes = replace(votes, multi_label=multi_label)
        rng = np.random.default_rng(seed)
        items, labels, rows = (rng.permutation(n) for n in (60, 4, len(votes.item)))
        if name == "median":
            labels = np.arange(4)  # of grades the order is what matters
        number = {
            who: int(new) for who, new in zip(range(10, 15), rng.permutation(90), strict=False)
        }
        other = Votes(
            items=60,
            item=items[votes.item][rows],
            annotator=np.array([number[who] for who in votes.annotator])[rows],
            answers=votes.answers[rows][:, labels],
            multi_label=multi_label,
        )
        one, two = (CONSENSUS.create(name).aggregate(each) for each in (votes, other))
        np.testing.assert_allclose(two.shares[items], one.shares[:, labels], atol=2e-3)
        np.testing.assert_array_equal(two.tied[items], one.tied)
        clear = ~one.tied  # a tie shows the first column, whichever label that is
        np.testing.assert_array_equal(two.answers[items][clear], one.answers[:, labels][clear])
        assert {number[who]: skill for who, skill in one.skill.items()} == pytest.approx(two.skill)

    @each_method
    def test_a_doubled_annotator_is_as_skilled_as_before_and_leaves_other_items_alone(
        self, name: str
    ) -> None:
        votes, _ = crowd(items=120, each=3)
        copied = votes.annotator == 10
        doubled = Votes(
            items=120,
            item=np.concatenate([votes.item, votes.item[copied]]),
            annotator=np.concatenate([votes.annotator, np.full(copied.sum(), 99)]),
            answers=np.concatenate([votes.answers, votes.answers[copied]]),
        )
        one, two = (CONSENSUS.create(name).aggregate(each) for each in (votes, doubled))
        assert two.skill[99] == two.skill[10]
        learnt = CONSENSUS.create(name).fit(doubled)
        if learnt is not None:
            assert learnt.voices[99].accuracy == learnt.voices[10].accuracy
        others = ~np.isin(np.arange(120), votes.item[copied])
        assert others.sum() > 20
        clear = others & ~one.tied & ~two.tied
        assert clear.sum() > 0.6 * others.sum()
        same = (one.answers[clear] == two.answers[clear]).all(axis=1)
        assert same.mean() > (0.9 if learnt else 0.999), "others' skills are seen a little anew"

    @each_learning
    def test_an_item_does_not_depend_on_others_once_skills_are_learnt(self, name: str) -> None:
        votes, _ = crowd()
        learnt = CONSENSUS.create(name).fit(votes)
        whole = CONSENSUS.create(name).aggregate(votes, learnt)
        some = votes.item < 20
        part = replace(
            votes,
            items=20,
            item=votes.item[some],
            annotator=votes.annotator[some],
            answers=votes.answers[some],
        )
        found = CONSENSUS.create(name).aggregate(part, learnt)
        np.testing.assert_allclose(found.shares, whole.shares[:20], atol=1e-5)

    @each_learning
    @pytest.mark.parametrize("multi_label", [False, True])
    def test_skills_serve_a_schema_that_has_grown(self, name: str, multi_label: bool) -> None:
        votes, _ = crowd()
        votes = replace(votes, multi_label=multi_label)
        learnt = CONSENSUS.create(name).fit(votes)
        wider = replace(votes, answers=np.pad(votes.answers, ((0, 0), (0, 1))))
        one = CONSENSUS.create(name).aggregate(votes, learnt)
        two = CONSENSUS.create(name).aggregate(wider, learnt)
        np.testing.assert_allclose(two.shares[:, :3], one.shares, atol=0.12)
        assert (two.shares[:, 3] < 0.3).all()
        assert learnt is not None
        with pytest.raises(ShapeError, match="more labels"):
            grown(learnt, 1, 1)

    def test_skills_of_another_method_are_refused(self) -> None:
        votes, _ = crowd(items=20)
        coin = CONSENSUS.create("one-coin").fit(votes)
        for name in ("dawid-skene", "glad"):
            with pytest.raises(ShapeError, match="These skills come from a method"):
                CONSENSUS.create(name).aggregate(votes, coin)

    def test_only_the_student_aware_method_hears_a_student(self) -> None:
        votes, _ = crowd(items=40)
        p = np.tile(np.array([0.98, 0.01, 0.01]), (40, 1))
        for name in set(CONSENSUS) - WITH_STUDENT:
            one, two = (
                CONSENSUS.create(name).aggregate(replace(votes, probabilities=each))
                for each in (None, p)
            )
            np.testing.assert_array_equal(one.shares, two.shares)


@pytest.mark.dataset
def test_as_good_as_dawid_and_skene_on_real_votes(datasets: Path) -> None:
    """8,315 product pairs, three votes each; plain Dawid–Skene is right on 93.97 %."""
    rows: list[Any] = [
        row for split in ("train", "test") for row in read_rows(datasets, "product_pairs", split)
    ]
    said = [
        (i, a["annotator"], a["label"]) for i, row in enumerate(rows) for a in row["annotations"]
    ]
    who = {name: number for number, name in enumerate(dict.fromkeys(name for _, name, _ in said))}
    votes = Votes(
        items=len(rows),
        item=np.array([i for i, _, _ in said]),
        annotator=np.array([who[name] for _, name, _ in said]),
        answers=np.eye(2, dtype=np.float32)[[int(label == "same") for _, _, label in said]],
    )
    truth = np.array([row["label"] == "same" for row in rows], dtype=int)
    found = {name: accuracy(CONSENSUS.create(name).aggregate(votes), truth) for name in CONSENSUS}
    assert found["dawid-skene"] > 0.9397 - 0.002
    assert found["dawid-skene"] > found["one-coin"] + 0.02 > found["majority"] + 0.02
