"""Who comes in, who is out: rights that were given up do not live on in a link."""

import pytest

from annotator.actions.projects import people, redacting
from annotator.errors import ForbiddenError, NotFoundError
from annotator.models import Membership, Project, Role
from tests.factories import join, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def omar(project):
    """A second owner."""
    return join(project, make_user("omar"), Role.OWNER)


def test_who_was_removed_does_not_come_back_by_an_own_link(project, cast, omar):
    _, secret = people.invite(project, omar.user, Role.OWNER)
    people.remove_member(omar, cast.lea)
    with pytest.raises(NotFoundError):
        people.accept_invitation(secret, omar.user)


def test_links_end_whose_role_their_maker_may_give_no_longer(project, cast, omar):
    secrets = {role: people.invite(project, omar.user, role)[1] for role in Role}
    people.change_member(omar, cast.lea, role=Role.MANAGER)
    usable = set()
    for role, secret in secrets.items():
        try:
            usable.add(people.open_invitation(secret).role)
        except NotFoundError:
            assert role in {Role.OWNER, Role.MANAGER}
    assert usable == {Role.REVIEWER, Role.ANNOTATOR, Role.VIEWER}


def test_a_redacted_persons_links_end(project, omar):
    _, secret = people.invite(project, omar.user, Role.OWNER)
    redacting.redact_person(omar.user, "a test")
    with pytest.raises(NotFoundError):
        people.open_invitation(secret)


def test_a_link_for_a_password_ends_when_its_person_joins_somebody_elses_project(project, cast):
    """Else an owner of one project got into another by a member they share."""
    secret = people.reset_link(cast.ana, cast.lea)
    elsewhere = Project.objects.create(name="Elsewhere", created_by=cast.cleo)
    member = join(elsewhere, cast.ana, Role.ANNOTATOR)
    with pytest.raises(ForbiddenError):
        people.use_reset_link(secret, "another long password")
    Membership.objects.filter(pk=member.pk).delete()
    assert people.use_reset_link(secret, "another long password") == cast.ana
