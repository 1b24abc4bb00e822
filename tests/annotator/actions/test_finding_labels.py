"""Labels are found by what is typed of them."""

import pytest

from annotator.actions.projects import finding, projects, schema
from annotator.models import Label
from tests.factories import make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(cast):
    made = make_project(cast, labels=())
    schema.add_labels(
        made,
        [
            ("Card fraud", "", "Somebody else paid", ""),
            ("Lost card", "", "", ""),
            ("Card", "", "", ""),
            ("Übergröße/extra-long", "", "", ""),
            ("Top up", "", "Money onto the card", ""),
        ],
    )
    return made


def names(project, typed, **more):
    return [label.name for label in finding.find_labels(project, typed, **more)]


def test_the_name_itself_then_names_that_begin_so_then_words_anywhere(project):
    assert names(project, "card") == ["Card", "Card fraud", "Lost card", "Top up"]
    assert names(project, "car", most=2) == ["Card", "Card fraud"]


def test_every_word_counts_in_any_order_case_and_accent(project):
    assert names(project, "FRAUD car") == ["Card fraud"]
    assert names(project, "ubergro") == ["Übergröße/extra-long"]
    assert names(project, "long extra") == ["Übergröße/extra-long"]
    assert names(project, "fraud nothing") == []


def test_descriptions_and_accepted_words_are_searched_too(project):
    assert names(project, "somebody") == ["Card fraud"]
    Label.objects.filter(project=project, name="Lost card").update(words=["stolen purse"])
    assert names(project, "purse") == ["Lost card"]


def test_a_label_is_found_by_its_number(project):
    assert names(project, "3") == ["Card"]
    schema.add_labels(project, [("Over 3 days", "", "", "")])
    assert names(project, "3") == ["Over 3 days", "Card"]


def test_words_with_marks_are_found_anywhere_in_a_name(project):
    schema.add_labels(project, [("नई दिल्ली", "", "", ""), ("赤いドレス", "", "", "")])
    assert names(project, "दिल्ली") == ["नई दिल्ली"]


def test_nothing_typed_finds_the_first_labels(project):
    assert names(project, "  ", most=2) == ["Card fraud", "Lost card"]


@pytest.mark.parametrize(
    "typed", ["'", "&|!:*", "\\", "a' | 'b", "%", "_", "\0", "\u200b", "🎉", "x" * 500]
)
def test_whatever_is_typed_is_words_and_never_a_query(project, typed):
    assert isinstance(finding.find_labels(project, typed), list)


def test_archived_labels_and_those_of_others_are_not_found(project, cast):
    other = make_project(cast, labels=("Card elsewhere",))
    schema.archive_label(project.labels.get(name="Card"))
    assert names(project, "card") == ["Card fraud", "Lost card", "Top up"]
    assert names(other, "card") == ["Card elsewhere"]


def test_in_a_tree_a_label_is_found_by_its_own_part_and_by_its_path(cast):
    made = projects.create_project(cast.lea, "Catalogue", task_type="hierarchy")
    schema.add_labels(
        made, [("Animal > Bird > Owl", "", "", ""), ("Plant > Owl flower", "", "", "")]
    )
    assert names(made, "owl") == ["Animal > Bird > Owl", "Plant > Owl flower"]
    assert names(made, "bird owl") == ["Animal > Bird > Owl"]
    schema.add_labels(made, [("Shelf 3 > Box 4", "", "", ""), ("Shelf 4 > Box 3", "", "", "")])
    assert names(made, "shelf 4 box 3")[0] == "Shelf 4 > Box 3"
    assert names(made, "animal > bird") == ["Animal > Bird", "Animal > Bird > Owl"]
