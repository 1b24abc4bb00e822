"""What is imported after the seed was drawn is drawn from too, and figures stay those of the whole pool."""

from datetime import timedelta

import numpy as np
import pytest
from django.db.models.functions import Now

from annotator.actions.routing import doubling, policies, strata
from annotator.models import Double, Item
from learning.audit.intervals import share, weights_of
from tests.annotator.routed import Routed
from tests.factories import make_items

pytestmark = pytest.mark.django_db

OLD = 240


def imported(cast, count, **settings):
    """A project whose seed was drawn an hour before `count` more items came."""
    made = Routed(cast, **settings)
    Item.objects.filter(project=made.project).update(created_at=Now() - timedelta(hours=2))
    Double.objects.update(drawn_at=Now() - timedelta(hours=1))
    make_items(made.project, [f"later {n}" for n in range(count)], seed=3)
    made.project.refresh_from_db()
    return made


def drawn(made):
    rows = Double.objects.filter(project=made.project).order_by("item__number")
    return list(rows.values_list("item__number", "probability"))


def redraw(made, rng):
    """The seed as it would have been drawn by other chance, before the import and after it."""
    Double.objects.all().delete()
    late = Item.objects.filter(project=made.project, number__gte=OLD)
    late.update(removed_at=Now())
    doubling.draw_seed(made.project, made.policy, rng)
    Double.objects.update(drawn_at=Now() - timedelta(hours=1))
    late.update(removed_at=None)
    doubling.draw_seed(made.project, made.policy, rng)


class TestAfterAnImport:
    def test_new_items_join_the_seed_by_their_share_of_the_pool(self, cast):
        made = imported(cast, 120)
        assert doubling.draw_seed(made.project, made.policy, np.random.default_rng(1)) == 20
        found = drawn(made)
        assert sum(number >= OLD for number, _ in found) == 20
        assert {p for number, p in found if number < OLD} == {60 / 240}
        assert {p for number, p in found if number >= OLD} == {20 / 120}
        again = doubling.draw_seed(made.project, made.policy, np.random.default_rng(2))
        assert again == 0, "once is enough"
        assert drawn(made) == found

    def test_a_few_new_items_wait_until_they_are_a_share_of_the_seed(self, cast):
        made = imported(cast, 1)
        assert doubling.draw_seed(made.project, made.policy, np.random.default_rng(1)) == 0
        assert {p for _, p in drawn(made)} == {60 / 241}, "they count with the part before them"
        make_items(made.project, [f"yet later {n}" for n in range(40)], seed=4)
        made.project.refresh_from_db()
        assert doubling.draw_seed(made.project, made.policy, np.random.default_rng(1)) == 9

    def test_a_draw_from_the_whole_pool_after_an_import_counts_in_either_part(self, cast):
        made = imported(cast, 240)
        doubling.draw_seed(made.project, made.policy, np.random.default_rng(1))
        Double.objects.filter(item__number__gte=OLD).update(drawn_at=Now() - timedelta(minutes=1))
        policies.change_policy(made.project, None, seed_size=150)
        doubling.draw_seed(made.project, made.policy, np.random.default_rng(1))
        found = drawn(made)
        for part in ([p for n, p in found if n < OLD], [p for n, p in found if n >= OLD]):
            assert set(part) == {len(part) / 240}

    @pytest.mark.parametrize("late", [240, 720])
    def test_the_teachers_error_is_that_of_the_whole_pool(self, cast, late):
        """A teacher that errs on a tenth of the old items and on half of the new ones."""
        made = imported(cast, late)
        draw = np.random.default_rng(11)
        wrong = np.concatenate([draw.random(OLD) < 0.1, draw.random(late) < 0.5])
        held, errors = [], []
        for _ in range(30):
            redraw(made, draw)
            numbers, p = map(np.array, zip(*drawn(made), strict=True))
            told = share(wrong[numbers], weights_of(p))
            held.append(told.low <= wrong.mean() <= told.high)
            errors.append(told.value - wrong.mean())
        assert np.mean(held) >= 0.9
        assert abs(np.mean(errors)) < 0.025


def test_parts_of_which_nothing_was_drawn_are_taken_with_their_neighbours():
    def part(place, items, drawn):
        return strata.Part(first=place, last=place, items=items, drawn=drawn)

    found = strata._with_some([part(0, 5, 0), part(1, 10, 2), part(2, 7, 0), part(3, 9, 3)])
    assert [(p.first, p.last, p.items, p.drawn) for p in found] == [(0, 2, 22, 2), (3, 3, 9, 3)]
    assert strata._with_some([part(0, 5, 0)]) == []
