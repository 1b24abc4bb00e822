"""The codebook's history, and the second look at items whose label means something else."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.actions.desk import assigning
from annotator.actions.projects import codebook, projects, schema
from annotator.actions.review import cases, flagging, reviewing
from annotator.models import CodebookChange, Flag, FlagKind, FlagState
from tests.annotator.web.helpers import say
from tests.factories import make_items, make_project

WORDS = st.lists(st.sampled_from(["money", "back", "not", "a", "refund", "\n"])).map(" ".join)


@pytest.fixture
def shop(cast):
    """Four items: three say Billing, one Login."""
    project = make_project(cast, audit_share=0)
    for item, name in zip(make_items(project, 4), ["Billing"] * 3 + ["Login"], strict=True):
        say(project, assigning.voice_of(project, cast.ana), item, name)
    return project


def billing(project):
    return project.labels.get(name="Billing")


def change(project, cast, **fields):
    label = billing(project)
    now = {"name": label.name, "description": label.description, "hotkey": label.hotkey}
    schema.change_label(label, by=cast.lea, **(now | fields))
    return CodebookChange.objects.order_by("-pk").first()


@given(WORDS, WORDS)
def test_the_parts_of_a_difference_give_both_texts(before, after):
    parts = codebook.difference(before, after)
    assert "".join(p.text for p in parts if p.kind != "added") == before
    assert "".join(p.text for p in parts if p.kind != "removed") == after


def test_of_a_text_with_more_at_its_beginning_or_end_only_that_is_told():
    for before, after, told in (("a refund", "a refund of money", " of money"), ("b", "a b", "a ")):
        kinds = {part.kind: part.text for part in codebook.difference(before, after)}
        assert kinds == {"same": before, "added": told}


def test_blanks_are_not_compared_with_one_another():
    """A rewritten page of guidelines took a second, and a page of the history shows twenty."""
    text = " ".join(f"word{number}" for number in range(500))
    assert all(part.text.strip() for part in codebook.difference(text, text.replace("word", "w")))


@pytest.mark.django_db
class TestHistory:
    def test_two_leads_at_once_each_leave_what_they_replaced(self, shop, cast):
        one, other = billing(shop), billing(shop)
        for label, told in ((one, "Charges."), (other, "Refunds.")):
            schema.change_label(label, name="Billing", description=told, hotkey="", by=cast.lea)
        (second, first) = CodebookChange.objects.order_by("-pk")
        assert [first.before, first.after, second.before, second.after] == (
            ["", "Charges.", "Charges.", "Refunds."]
        )

    def test_keeps_what_a_label_was_called_and_said_and_who_changed_it(self, shop, cast):
        found = change(shop, cast, name="Money", description="Charges and refunds.")
        assert (found.name_before, found.name_after) == ("Billing", "Money")
        assert (found.before, found.after) == ("", "Charges and refunds.")
        assert (found.changed_by, found.asked) == (cast.lea, 0)
        assert not Flag.objects.exists()

    def test_another_key_or_colour_is_no_change_of_the_codebook(self, shop, cast):
        assert change(shop, cast, hotkey="9", colour=3) is None

    def test_keeps_what_the_guidelines_said(self, shop, cast):
        before = shop.guidelines
        projects.change_project(shop, by=cast.lea, guidelines="Read twice.")
        found = CodebookChange.objects.get()
        assert (found.label, found.before, found.after) == (None, before, "Read twice.")


@pytest.mark.django_db
class TestSecondLook:
    def test_items_that_have_the_label_wait_for_a_reviewer_and_no_others(self, shop, cast):
        found = change(shop, cast, description="Charges, no refunds.", means_else=True)
        assert found.asked == 3
        assert codebook.with_label(billing(shop)) == 3
        assert [item.number for item in cases.waiting(shop)] == [0, 1, 2]

    def test_what_is_below_a_branch_is_looked_at_with_it(self, cast):
        tree = projects.create_project(cast.lea, "Things", task_type="hierarchy")
        names = ("Animal", "Animal > Owl", "Plant")
        schema.add_labels(tree, [(name, "", "", "") for name in names])
        projects.change_project(tree, audit_share=0)
        for item, name in zip(make_items(tree, 3), names, strict=True):
            say(tree, assigning.voice_of(tree, cast.lea), item, name)
        branch = tree.labels.get(name="Animal")
        assert codebook.with_label(branch) == 2
        schema.change_label(
            branch, name="Beast", description="No birds.", hotkey="", by=cast.lea, means_else=True
        )
        assert [item.number for item in cases.waiting(tree)] == [0, 1]

    def test_a_second_change_asks_nobody_twice(self, shop, cast):
        first = change(shop, cast, description="Charges.", means_else=True)
        second = change(shop, cast, description="Charges and fees.", means_else=True)
        assert (second.asked, Flag.objects.filter(change=first).count()) == (0, 3)

    def test_a_reviewers_word_closes_it_and_taking_it_back_opens_it_again(self, shop, cast):
        change(shop, cast, description="Charges.", means_else=True)
        item = shop.items.get(number=0)
        login = shop.labels.get(name="Login").pk
        word = reviewing.settle(shop, cast.ben, uuid=uuid4(), item=item, labels=[login])
        flag = Flag.objects.get(item=item)
        assert (flag.state, flag.outcome) == (FlagState.SETTLED, "change")
        assert cases.waiting(shop).count() == 2
        reviewing.take_back(shop, cast.ben, uuid=uuid4(), annotation_uuid=word.uuid)
        assert cases.waiting(shop).count() == 3

    def test_what_looks_wrong_is_asked_beside_it_and_another_look_leaves_it(self, shop, cast):
        change(shop, cast, description="Charges.", means_else=True)
        item = shop.items.get(number=0)
        Flag.objects.create(
            project=shop, item=item, kind=FlagKind.DETECTOR, labels=[billing(shop).pk], rank=1
        )
        flagging._replace(shop, [])
        assert set(Flag.objects.values_list("kind", flat=True)) == {FlagKind.DEFINITION}
