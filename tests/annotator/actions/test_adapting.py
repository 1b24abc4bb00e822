"""A changed setting reaches the items that were answered under the former one."""

import uuid

import pytest

from annotator.actions.desk import assigning, labeling
from annotator.actions.projects import adapting, projects
from annotator.actions.review import reviewing
from annotator.actions.verdicts import settling
from annotator.models import Annotation, Item, Verdict
from tests.annotator.actions.test_loop import work
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


def test_another_overlap_opens_answered_items_and_closes_them_again(cast, monkeypatch):
    monkeypatch.setattr(adapting, "CHUNK", 2)
    project = make_project(cast, audit_share=0)
    make_items(project, 5)
    ana = assigning.voice_of(project, cast.ana)
    for _ in range(4):
        lease = assigning.lease(project, ana, 1)[0]
        label = project.labels.first().pk
        labeling.submit(project, ana, uuid=uuid.uuid4(), assignment_id=lease.pk, labels=[label])
    projects.change_project(project, overlap=2)
    work()
    assert Item.objects.filter(open=True).count() == 5
    projects.change_project(project, overlap=1)
    work()
    assert Item.objects.filter(open=True).count() == 1


def test_another_overlap_leaves_bad_items_closed(cast):
    project = make_project(cast, audit_share=0)
    make_items(project, 1)
    ana, label = assigning.voice_of(project, cast.ana), project.labels.first().pk
    lease = assigning.lease(project, ana, 1)[0]
    labeling.submit(project, ana, uuid=uuid.uuid4(), assignment_id=lease.pk, labels=[label])
    item = Item.objects.get()
    reviewing.settle(project, cast.ben, uuid=uuid.uuid4(), item=item, outcome="bad")
    settling.settle_now(project)
    projects.change_project(project, overlap=2)
    work()
    assert not Item.objects.get().open


def test_another_consensus_decides_anew(cast):
    project = make_project(cast)
    item = make_items(project, 1)[0]
    billing, login = (project.labels.get(name=name).pk for name in ("Billing", "Login"))
    ana = assigning.voice_of(project, cast.ana)
    files = [project.annotators.create(kind="import", name=f"{n}", weight=0.25) for n in range(2)]
    for voice, label in ((ana, billing), (files[0], login), (files[1], login)):
        Annotation.objects.create(
            uuid=uuid.uuid4(),
            project=project,
            item_id=project.items.get(number=item.number).pk,
            annotator=voice,
            labels=[label],
        )
    settling.settle_now(project)
    assert Verdict.objects.get().labels == [billing], "a person outweighs both files"
    projects.change_project(project, consensus="majority")
    work()
    assert Verdict.objects.get().labels == [login]
