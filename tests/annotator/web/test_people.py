"""Members, invitation links, new passwords, scorecards."""

import pytest

from annotator.actions.desk import assigning
from annotator.actions.projects import people
from annotator.models import Annotator, Assignment, Flag, Invitation, Membership, Role, User
from annotator.web import scores
from tests.annotator.pages import Client
from tests.annotator.web.helpers import say
from tests.factories import PASSWORD, make_project

pytestmark = pytest.mark.django_db

ACCOUNT = {"username": "dora", "email": "", "password": PASSWORD, "again": PASSWORD}


def url(project, rest="members"):
    return f"/projects/{project.pk}/{rest}"


def invite(client, project, role="annotator", **fields):
    form = {"role": role, "max_uses": 1, "days": 7, "note": "", **fields}
    return client.post(url(project), form)


def path_of(response):
    return "/" + response.context["link"].split("/", 3)[3]


def test_a_link_is_shown_once_and_brings_a_new_person_in(lea, project):
    made = invite(lea, project, note="for Dora")
    link = path_of(made)
    assert link.rsplit("/", 1)[1] in made.content.decode()
    assert link.rsplit("/", 1)[1] not in lea.get(url(project)).content.decode()
    stranger = Client()
    assert b"Join Tickets" in stranger.get(link).content
    assert stranger.post(link, ACCOUNT).status_code == 302
    member = Membership.objects.get(user__username="dora")
    assert (member.project, member.role) == (project, Role.ANNOTATOR)
    assert stranger.get(f"/projects/{project.pk}/label").status_code == 200


def test_somebody_who_is_signed_in_joins_with_one_button(lea, sign_in, cast, project):
    link = path_of(invite(lea, project))
    cleo = sign_in(cast.cleo)
    assert b"Join as cleo" in cleo.get(link).content
    cleo.post(link)
    assert project.role_of(cast.cleo) == Role.ANNOTATOR


def test_looking_at_a_link_joins_nobody(lea, sign_in, cast, project):
    link = path_of(invite(lea, project))
    sign_in(cast.cleo).get(link)
    assert project.role_of(cast.cleo) is None


def test_a_used_up_or_revoked_link_says_so(lea, sign_in, cast, project):
    link = path_of(invite(lea, project))
    Client().post(link, ACCOUNT)
    refused = sign_in(cast.cleo).get(link)
    assert refused.status_code == 404
    assert b"was used, revoked or has expired" in refused.content
    other = path_of(invite(lea, project))
    (open_one,) = Invitation.objects.usable()
    assert lea.post(url(project, f"links/{open_one.pk}/revoke")).status_code == 302
    assert sign_in(cast.cleo).get(other).status_code == 404


def test_a_taken_name_keeps_the_link_usable(lea, project):
    link = path_of(invite(lea, project))
    refused = Client().post(link, {**ACCOUNT, "username": "Ana"})
    assert refused.status_code == 422
    assert "username" in refused.context["form"].errors
    assert Invitation.objects.get().uses == 0
    assert Client().post(link, ACCOUNT).status_code == 302


def test_a_weak_password_leaves_no_account_behind(lea, project):
    link = path_of(invite(lea, project))
    refused = Client().post(link, {**ACCOUNT, "password": "12345678", "again": "12345678"})
    assert refused.status_code == 422
    assert not User.objects.filter(username="dora").exists()


def test_a_manager_invites_no_owner(sign_in, cast, project):
    Membership.objects.create(project=project, user=cast.cleo, role=Role.MANAGER)
    cleo = sign_in(cast.cleo)
    assert invite(cleo, project, "owner").status_code == 422
    assert invite(cleo, project, "annotator").status_code == 200
    assert Invitation.objects.count() == 1


def test_a_member_is_changed(lea, cast, project):
    member = Membership.objects.get(user=cast.ana)
    form = {"role": "reviewer", "quota": "12", "batch": ""}
    assert lea.post(url(project, f"members/{member.pk}"), form).status_code == 302
    member.refresh_from_db()
    assert (member.role, member.quota, member.batch_id) == (Role.REVIEWER, 12, None)


def test_the_last_owner_stays(lea, cast, project):
    member = Membership.objects.get(user=cast.lea)
    form = {"role": "viewer", "quota": "", "batch": ""}
    response = lea.post(url(project, f"members/{member.pk}"), form)
    assert response.status_code == 422
    assert b"keeps one owner at least" in response.content
    assert lea.post(url(project, f"members/{member.pk}/remove")).status_code == 409


def test_who_leaves_gives_items_back_and_keeps_answers(lea, cast, project):
    ana = assigning.voice_of(project, cast.ana)
    say(project, ana, project.items.get(number=11), "Billing")
    assert assigning.lease(project, ana, 2)
    member = Membership.objects.get(user=cast.ana)
    assert lea.post(url(project, f"members/{member.pk}/remove")).status_code == 302
    assert project.role_of(cast.ana) is None
    assert not Assignment.objects.filter(state="leased").exists()
    assert project.annotations.filter(annotator=ana).count() == 1


def test_an_owner_makes_a_link_for_a_new_password(lea, sign_in, cast, project):
    member = Membership.objects.get(user=cast.ana)
    made = lea.post(url(project, f"members/{member.pk}/reset"))
    link = path_of(made)
    form = {"password": "a rather new one 7", "again": "a rather new one 7"}
    ana = Client()
    assert b"Choose a new password" in ana.get(link).content
    assert ana.post(link, form).status_code == 302
    cast.ana.refresh_from_db()
    assert cast.ana.check_password("a rather new one 7")
    assert ana.get(link).status_code == 404


def test_two_different_passwords_are_refused(cast, project):
    secret = people.reset_link(cast.ana, cast.lea)
    refused = Client().post(f"/reset/{secret}", {"password": PASSWORD, "again": "else"})
    assert refused.status_code == 422
    assert b"The two passwords differ" in refused.content


def test_a_manager_makes_no_password_links(sign_in, cast, project):
    Membership.objects.create(project=project, user=cast.cleo, role=Role.MANAGER)
    member = Membership.objects.get(user=cast.ana)
    assert sign_in(cast.cleo).post(url(project, f"members/{member.pk}/reset")).status_code == 404


def test_members_of_another_project_are_not_found(lea, cast, project):
    other = make_project(cast, name="Other")
    member = Membership.objects.get(project=other, user=cast.ana)
    for rest in ("", "/remove", "/reset"):
        assert lea.post(url(project, f"members/{member.pk}{rest}")).status_code == 404


@pytest.mark.parametrize("who", ["ana", "ben", "cleo"])
def test_members_are_for_managers(sign_in, cast, project, who):
    client = sign_in(getattr(cast, who))
    assert client.get(url(project)).status_code == 404
    assert client.post(url(project)).status_code == 404


def test_scorecards_tell_answers_and_agreement(lea, cast, project):
    project.overlap = 2
    project.save()
    ana, ben = (assigning.voice_of(project, each) for each in (cast.ana, cast.ben))
    for number, item in enumerate(project.items.order_by("number")[:6]):
        say(project, ana, item, "Billing")
        say(project, ben, item, "Billing" if number else "Login")
    (card, other) = sorted(
        lea.get(url(project, "annotators")).context["cards"], key=lambda card: card["speed"].name
    )
    assert (card["speed"].answers, other["speed"].answers) == (6, 6)
    assert (card["agreement"].same, card["agreement"].shared) == (5, 5)
    assert card["agreement"].low < 1.0


def test_a_file_is_not_judged_by_the_items_that_looked_wrong(lea, cast, project):
    file = Annotator.objects.create(project=project, kind="import", name="old.csv", weight=0.5)
    ben = assigning.voice_of(project, cast.ben)
    for item in project.items.order_by("number")[:2]:
        say(project, file, item, "Billing", stream="import")
        say(project, ben, item, "Login", stream="review")
    assert scores.agreement(project).get(file.pk) is None
    Flag.objects.create(project=project, item=item, kind="random", labels=[], rank=0)
    assert scores.agreement(project)[file.pk].shared == 1


def test_scorecards_are_not_for_annotators(sign_in, cast, project):
    assert sign_in(cast.ana).get(url(project, "annotators")).status_code == 404
    assert sign_in(cast.ben).get(url(project, "annotators")).status_code == 200


def test_the_number_of_queries_does_not_grow(lea, project, django_assert_max_num_queries):
    for _ in range(6):
        invite(lea, project)
    with django_assert_max_num_queries(9):
        lea.get(url(project))


def test_an_annotator_leaves_by_themselves_and_an_only_owner_may_not(lea, sign_in, project, cast):
    ana = sign_in(cast.ana)
    voice = assigning.voice_of(project, cast.ana)
    lease = assigning.lease(project, voice, 1)[0]
    assert b"Leave Tickets" in ana.get(f"/projects/{project.pk}/label/mine").content
    assert ana.post(url(project, "leave")).url == "/"
    assert not Membership.objects.filter(project=project, user=cast.ana).exists()
    assert Assignment.objects.get(pk=lease.pk).state == "released"
    assert ana.get(f"/projects/{project.pk}/label").status_code == 404
    assert lea.post(url(project, "leave")).status_code == 409
    assert Membership.objects.filter(project=project, user=cast.lea).exists()
