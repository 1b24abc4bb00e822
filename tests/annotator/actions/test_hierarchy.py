"""Labels of a tree: named by paths from the file to the page."""

from uuid import uuid4

import pytest
from django.urls import reverse

from annotator.actions.desk import assigning, labeling
from annotator.actions.imports.staging import LabelBook, UnknownLabelsError
from annotator.actions.projects import paths, projects, schema
from annotator.actions.verdicts import settling
from annotator.errors import ConflictError, InvalidError
from annotator.models import Project
from annotator.web.choosing import label_views
from tests.annotator.web.conftest import BACKEND
from tests.factories import make_items

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(cast):
    return projects.create_project(cast.lea, "Questions", task_type="hierarchy")


def add(project, *names, parent=None):
    return schema.add_labels(project, [(name, "", "", "") for name in names], parent=parent)


def names(project):
    return list(project.live_labels().order_by("column").values_list("name", flat=True))


def test_a_path_brings_its_branches_once_and_in_order(project):
    owl, plant = add(project, "Animal>Bird > Owl", "Plant")
    assert names(project) == ["Animal", "Animal > Bird", "Animal > Bird > Owl", "Plant"]
    assert (owl.name, owl.part, owl.branch) == ("Animal > Bird > Owl", "Owl", "Animal > Bird")
    assert (owl.parent.name, plant.parent) == ("Animal > Bird", None)
    (hen, bird_of_plants) = add(project, "animal > bird > Hen", "Plant > Bird")
    assert hen.parent == owl.parent
    assert bird_of_plants.parent == plant
    columns = schema.columns_of(project)
    assert columns.line(owl.pk) == (owl.parent.parent_id, owl.parent_id, owl.pk)


def test_a_label_may_be_added_below_another_and_not_twice(project):
    (animal,) = add(project, "Animal")
    assert add(project, "Fish", parent=animal)[0].name == "Animal > Fish"
    with pytest.raises(ConflictError, match="already"):
        add(project, "Animal > fish")
    with pytest.raises(InvalidError, match="no name"):
        add(project, "Animal > > Fish")


def test_what_is_below_follows_a_new_name(project):
    (owl,) = add(project, "Animal > Bird > Owl")
    bird = owl.parent
    schema.change_label(bird, name="Feathered", description="", hotkey="")
    assert names(project) == ["Animal", "Animal > Feathered", "Animal > Feathered > Owl"]
    with pytest.raises(InvalidError, match="keeps its branch"):
        schema.change_label(bird, name="Plant > Bird", description="", hotkey="")
    with pytest.raises(InvalidError, match="characters"):
        schema.change_label(bird, name="x" * 190, description="", hotkey="")
    assert "Animal > Feathered > Owl" in names(project)


def test_files_name_labels_by_path_or_key(project):
    add(project, "Animal > Bird")
    book = LabelBook(project, create=True)
    assert book.numbers(("animal>bird",)) == book.numbers(("Animal >  Bird",))
    assert len(book.numbers(("Animal > Bird", "Animal > Fish"))) == 2
    assert book.names[book.ids.index(None)] == "Animal > Fish"
    with pytest.raises(UnknownLabelsError, match="no name"):
        book.numbers(("Animal > ",))
    assert paths.above("Animal > Bird") == "Animal"


def test_the_page_lists_the_tree_in_its_order(project):
    add(project, "Plant", "Animal > Bird", "Animal > Ape")
    told = [(each["path"], each["part"]) for each in label_views(project)]
    assert told == [("", "Animal"), ("Animal", "Ape"), ("Animal", "Bird"), ("", "Plant")]
    assert label_views(project)[1]["name"] == "Animal › Ape"


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("Animal > Bird > Owl", "Animal > Bird > Hen", "“Animal > Bird” is agreed"),
        ("Animal > Bird", "Animal > Bird > Hen", "how narrow"),
        ("Animal > Bird", "Plant > Bird", "branches differ: Animal or Plant"),
    ],
)
def test_a_wrong_leaf_is_told_from_a_wrong_branch(one, other, told):
    assert told in paths.difference(one, other)
    assert told.split(":")[0] in paths.difference(other, one)


def test_a_reviewer_is_told_where_the_paths_part(cast, client, project):
    ids = {label.name: label.pk for label in add(project, "Animal > Owl", "Animal > Hen")}
    make_items(project, 1)
    project = Project.objects.get(pk=project.pk)
    voice = assigning.voice_of(project, cast.lea)
    (lease,) = assigning.lease(project, voice, 1)
    labels = [ids["Animal > Owl"]]
    labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, labels=labels)
    settling.settle_now(project)
    client.force_login(cast.lea, backend=BACKEND)
    address = reverse("review_item", args=[project.pk, lease.item.number])
    shown = client.get(address, {"guess": ids["Animal > Hen"]}).content.decode()
    assert "“Animal” is agreed; only what is below it is in question." in shown
