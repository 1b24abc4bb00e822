"""The label page's requests: what is stored, what comes back, what is refused."""

from uuid import uuid4

import pytest
from django.urls import reverse

from annotator.actions.desk import assigning
from annotator.models import Annotation, AnnotationKind, Flag, Pick

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana(client, cast, project):
    project.audit_share = 0
    project.save()
    client.force_login(cast.ana)
    client.get(reverse("label", args=[project.pk]))
    return client


@pytest.fixture
def send(ana, project):
    def post(route="label_answer", **form):
        fields = {"uuid": str(uuid4()), **form}
        return ana.post(
            reverse(route, args=[project.pk]), fields, headers={"X-Requested-With": "fetch"}
        )

    return post


def leases(project):
    return list(project.assignments.filter(state="leased").order_by("pk"))


def test_the_page_holds_an_item_and_two_ahead(ana, project):
    assert len(leases(project)) == 3
    again = ana.get(reverse("label", args=[project.pk]))
    assert len(leases(project)) == 3
    assert again.content.decode().count('class="item"') == 3


def test_a_menu_leads_to_what_was_answered_before(ana, project):
    page = ana.get(reverse("label", args=[project.pk])).content.decode()
    menu = page.partition('aria-label="Screens of this project"')[2].partition("</nav>")[0]
    assert f'href="{reverse("label_mine", args=[project.pk])}"' in menu


def test_a_number_beside_the_item_stands_with_the_name_of_its_column(ana, project):
    project.items.update(meta={"stars": 2, "split": "dev", "sent": "2026-02-13"})
    page = ana.get(reverse("label", args=[project.pk])).content.decode()
    assert "<span>stars 2</span>" in page
    assert "split: </span>dev</span>" in page
    assert "sent: </span>2026-02-13</span>" in page


def test_a_text_beside_the_item_stands_whole_above_it(ana, project):
    prompt = "Which of these replies tells the customer <what> to do next, and when?"
    project.items.update(meta={"prompt": prompt, "history": "He wrote again. " * 60})
    page = ana.get(reverse("label", args=[project.pk])).content.decode()
    assert "replies tells the customer &lt;what&gt; to do next, and when?</div>" in page
    assert '<details class="context"><summary><span class="side">history</span>' in page


def test_an_answer_brings_one_more_item(send, project):
    first, *rest = leases(project)
    label = project.live_labels()[0]
    held = ",".join(str(each.pk) for each in rest)
    response = send(
        kind="answer",
        assignment=first.pk,
        labels=label.pk,
        seconds="2.5",
        comment="sure",
        held=held,
    )
    assert response.content.decode().count('class="item"') == 1
    said = Annotation.objects.get()
    assert (said.labels, said.seconds, said.comment) == ([label.pk], 2.5, "sure")
    assert len(leases(project)) == 3


def test_the_same_uuid_is_stored_once(send, project):
    form = {
        "uuid": str(uuid4()),
        "kind": "answer",
        "assignment": leases(project)[0].pk,
        "labels": project.live_labels()[0].pk,
    }
    assert send(**form).status_code == send(**form).status_code == 200
    assert Annotation.objects.count() == 1


def test_taking_back_returns_the_lease(send, project):
    first = leases(project)[0]
    uuid = str(uuid4())
    send(uuid=uuid, kind="answer", assignment=first.pk, labels=project.live_labels()[0].pk)
    response = send(kind="retract", annotation=uuid)
    assert f'data-item="{first.item_id}"' in response.content.decode()
    assert Annotation.objects.filter(kind=AnnotationKind.RETRACTION).count() == 1


def test_a_flag_names_the_item(send, project):
    first = leases(project)[0]
    assert send(kind="flag", assignment=first.pk, comment="odd").status_code == 200
    assert (Flag.objects.get().item_id, Flag.objects.get().reason) == (first.item_id, "odd")


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"kind": "answer", "labels": "1"}, 422),
        ({"kind": "answer", "assignment": "x", "labels": "1"}, 422),
        ({"kind": "answer", "assignment": "9" * 30, "labels": "1"}, 422),
        ({"kind": "answer", "assignment": "FIRST", "labels": "987654321"}, 422),
        ({"kind": "answer", "assignment": "FIRST"}, 422),
        ({"kind": "answer", "assignment": "987654321", "labels": "LABEL"}, 404),
        ({"kind": "answer", "assignment": "FIRST", "labels": "LABEL", "seconds": "soon"}, 422),
        ({"kind": "answer", "assignment": "FIRST", "labels": "LABEL", "uuid": "me"}, 422),
        ({"kind": "dance", "assignment": "FIRST"}, 422),
        ({"kind": "flag", "assignment": "987654321"}, 404),
        ({"kind": "retract", "annotation": "nothing"}, 422),
        ({"kind": "answer", "assignment": "FIRST", "labels": "LABEL", "held": "1,x"}, 422),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(send, project, form, status):
    names = {"FIRST": str(leases(project)[0].pk), "LABEL": str(project.live_labels()[0].pk)}
    response = send(**{key: names.get(value, value) for key, value in form.items()})
    assert response.status_code == status
    assert "data-detail" in response.content.decode()
    assert "<html" not in response.content.decode()


def test_leases_of_others_are_not_answered(send, project, cast):
    ben = assigning.voice_of(project, cast.ben)
    foreign = assigning.lease(project, ben, 1)[0]
    label = project.live_labels()[0]
    response = send(kind="answer", assignment=foreign.pk, labels=label.pk)
    assert response.status_code == 404
    assert not Annotation.objects.exists()


def test_renewing_fills_up_and_names_what_is_lost(send, project):
    lost = leases(project)[1]
    assigning.release(lost.annotator, [lost.pk])
    held = ",".join(str(each.pk) for each in [*leases(project), lost])
    response = send("label_renew", held=held).content.decode()
    assert f'data-lost="{lost.pk}"' in response
    assert response.count('class="item"') == 1


def test_leaving_releases(send, project):
    held = ",".join(str(each.pk) for each in leases(project))
    assert send("label_release", held=held).status_code == 204
    assert leases(project) == []


def test_an_answer_costs_few_queries(send, project, django_assert_max_num_queries):
    first, *rest = leases(project)
    with django_assert_max_num_queries(16):
        send(
            kind="answer",
            assignment=first.pk,
            labels=project.live_labels()[0].pk,
            held=",".join(str(each.pk) for each in rest),
        )


def test_a_blind_project_tells_no_label_names(ana, project):
    assigning.release_all(leases(project)[0].annotator)
    project.blind = True
    project.save()
    label = project.live_labels()[0]
    for rank, item in enumerate(project.items.all()):
        Pick.objects.create(
            project=project,
            item=item,
            rank=rank,
            suggestion=[[label.pk, 0.9123]],
            reason="hesitates between Billing and Login",
        )
    page = ana.get(reverse("label", args=[project.pk])).content.decode()
    assert "hesitates" not in page
    assert "0.9123" not in page


class TestOwnAnswers:
    def test_are_listed_and_changed_by_their_giver_only(self, send, ana, client, project, cast):
        uuid = str(uuid4())
        old, new = project.live_labels()[:2]
        send(uuid=uuid, kind="answer", assignment=leases(project)[0].pk, labels=old.pk)
        assert old.name in ana.get(reverse("label_mine", args=[project.pk])).content.decode()
        address = reverse("label_change", args=[project.pk, uuid])
        fresh = {"uuid": str(uuid4()), "labels": new.pk, "comment": "on second thought"}
        assert ana.post(address, fresh).status_code == 302
        last = Annotation.objects.get(successor=None)
        assert (last.labels, last.comment) == ([new.pk], "on second thought")
        client.force_login(cast.ben)
        assert client.get(address).status_code == 404
        assert client.post(address, fresh).status_code == 404
