"""Settings, labels, guidelines, tokens, deleting: each POST one action, refusals beside the field."""

import pytest
from knox.models import AuthToken

from annotator.actions.desk import assigning
from annotator.actions.students import training
from annotator.models import Label, Membership, Project, Role
from tests.annotator.web.helpers import say
from tests.factories import make_project

pytestmark = pytest.mark.django_db

FORM = {
    "name": "Tickets",
    "description": "",
    "overlap": 2,
    "blind": "on",
    "consensus": "majority",
    "answer_sets": "on",
    "coverage_percent": "95",
    "set_method": "raps",
    "audit_percent": "12.5",
    "audit_size": 30,
    "strategy": "random",
    "encoder": "minilm",
    "retrain_answers": 20,
    "retrain_seconds": 9,
}


def url(project, rest="settings"):
    return f"/projects/{project.pk}/{rest}"


def test_settings_are_saved_as_typed(lea, project):
    assert lea.post(url(project), FORM).status_code == 302
    project.refresh_from_db()
    assert (project.overlap, project.blind, project.digit_answers) == (2, True, False)
    assert (project.audit_share, project.audit_size) == (0.125, 30)
    assert (project.strategy, project.consensus) == ("random", "majority")
    assert (project.answer_sets, project.set_coverage, project.set_method) == (True, 0.95, "raps")
    again = lea.get(url(project)).content.decode()
    assert 'value="12.5"' in again


def test_a_project_of_several_labels_lets_its_head_draw_the_line_by_f1(lea, cast):
    several = make_project(cast, task_type="multi")
    assert training.head_of(several).plugin().cut == 0.5
    form = {**FORM, "set_method": "inner-outer", "best_f1": "on"}
    assert lea.post(url(several), form).status_code == 302
    several.refresh_from_db()
    assert training.head_of(several).plugin().cut is None
    assert training.head_of(several).params == {}  # it stays of one recipe


def test_a_project_of_one_label_has_no_line_to_draw(lea, project):
    assert 'name="best_f1"' not in lea.get(url(project)).content.decode()
    Project.objects.filter(pk=project.pk).update(best_f1=True)
    project.refresh_from_db()
    assert training.head_of(project).plugin().cut == 0.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("overlap", "0"),
        ("audit_percent", "101"),
        ("coverage_percent", "99.9"),
        ("set_method", "label-powerset"),
        ("strategy", "luck"),
        ("name", " "),
        ("encoder", "pixels-pca"),
        ("encoder", "transformers"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_saved(lea, project, field, value):
    response = lea.post(url(project), {**FORM, field: value})
    assert response.status_code == 422
    assert b"nothing was saved" in response.content
    project.refresh_from_db()
    assert project.overlap == 1


def test_an_encoder_by_name_keeps_its_name_and_revision(lea, project):
    named = {"encoder": "transformers", "encoder_name": "a/b", "encoder_revision": "c0ffee"}
    assert lea.post(url(project), {**FORM, **named}).status_code == 302
    project.refresh_from_db()
    assert project.encoder_params == {"name": "a/b", "revision": "c0ffee"}


def test_guidelines_are_cleaned_in_preview_and_page(lea, project):
    text = "# Rules\n\n<script>alert(1)</script> [x](javascript:alert(1)) **bold**"
    preview = lea.post(url(project, "settings/guidelines/preview"), {"guidelines": text})
    assert b"<strong>bold</strong>" in preview.content
    assert b"<script" not in preview.content
    assert b'href="javascript' not in preview.content
    project.refresh_from_db()
    assert project.guidelines == ""
    lea.post(url(project, "settings/guidelines"), {"guidelines": text})
    project.refresh_from_db()
    assert project.guidelines == text
    shown = lea.get(url(project, "settings/guidelines")).content
    assert b"<script>alert" not in shown


def test_labels_are_added_one_per_line(lea, project):
    lea.post(url(project, "settings/labels"), {"names": "Refund: Money back\n\n  Praise  \n"})
    fresh = list(project.live_labels())[3:]
    assert [(each.name, each.description) for each in fresh] == [
        ("Refund", "Money back"),
        ("Praise", ""),
    ]


def test_a_name_that_is_taken_is_refused_with_what_was_typed(lea, project):
    response = lea.post(url(project, "settings/labels"), {"names": "Refund\nbilling"})
    assert response.status_code == 422
    assert "a label named “billing” already".encode() in response.content
    assert b"Refund\nbilling" in response.content
    assert project.labels.count() == 3


def test_a_label_is_renamed_and_no_answer_is_lost(lea, cast, project):
    billing = project.labels.get(name="Billing")
    say(project, assigning.voice_of(project, cast.ana), project.items.first(), "Billing")
    form = {"name": "Invoices", "description": "About bills", "hotkey": "i", "colour": "5"}
    assert lea.post(url(project, f"settings/labels/{billing.pk}"), form).status_code == 302
    billing.refresh_from_db()
    assert (billing.name, billing.hotkey, billing.colour, billing.key) == (
        "Invoices",
        "i",
        5,
        "billing",
    )
    assert project.annotations.get().labels == [billing.pk]
    assert b"1 item" in lea.get(url(project, "settings/labels")).content


def test_a_label_that_means_something_else_sends_its_items_to_review(lea, ben, cast, project):
    label = project.labels.get(name="Billing")
    address = url(project, f"settings/labels/{label.pk}")
    assert b"What it means has changed" not in lea.get(address).content
    item = project.items.order_by("number").first()
    say(project, assigning.voice_of(project, cast.ana), item, "Billing")
    assert b"1 item that has it goes to Review" in lea.get(address).content
    form = {"name": "Billing", "hotkey": label.hotkey, "colour": 0, "means_else": "on"}
    lea.post(address, form | {"description": "Charges, <b>no</b> refunds."})
    assert b"&lt;b&gt;no&lt;/b&gt; refunds." in lea.get(url(project, "settings/codebook")).content
    blind = ben.get(url(project, "review"), follow=True)
    assert b"means something else" not in blind.content
    seen = ben.get(f"{blind.redirect_chain[-1][0]}?guess={label.pk}").content
    assert b"means something else since" in seen
    assert b"Keep Billing" in seen


def test_a_key_that_is_taken_is_said_beside_the_field(lea, project):
    billing = project.labels.get(name="Billing")
    form = {"name": "Billing", "hotkey": "2", "colour": "0"}
    response = lea.post(url(project, f"settings/labels/{billing.pk}"), form)
    assert response.status_code == 422
    assert "hotkey" in response.context["form"].errors


def test_labels_move_up_and_down_and_stay_at_the_ends(lea, project):
    def names():
        return [each.name for each in project.live_labels()]

    def move(name, to):
        pk = project.labels.get(name=name).pk
        response = lea.post(url(project, f"settings/labels/{pk}/move"), {"to": to})
        assert response["Location"].endswith(f"#{to}-{pk}")

    move("Login", "up")
    assert names() == ["Billing", "Login", "Delivery"]
    move("Billing", "up")
    assert names() == ["Billing", "Login", "Delivery"]
    move("Billing", "down")
    assert names() == ["Login", "Billing", "Delivery"]


def test_a_label_is_archived_and_restored(lea, project):
    pk = project.labels.get(name="Login").pk
    lea.post(url(project, f"settings/labels/{pk}/archive"))
    assert [each.name for each in project.live_labels()] == ["Billing", "Delivery"]
    assert b"Archived" in lea.get(url(project, "settings/labels")).content
    lea.post(url(project, f"settings/labels/{pk}/restore"))
    assert [each.name for each in project.live_labels()] == ["Billing", "Delivery", "Login"]


def test_another_projects_label_is_not_found(lea, cast, project):
    other = make_project(cast, name="Other").labels.first()
    for rest in ("", "/move", "/archive", "/restore"):
        response = lea.post(url(project, f"settings/labels/{other.pk}{rest}"), {"to": "up"})
        assert response.status_code == 404
    assert Label.objects.get(pk=other.pk).archived_at is None


def test_a_token_is_shown_once_and_works_until_revoked(lea, cast):
    response = lea.post("/tokens", {"days": "30"})
    secret = response.context["secret"]
    assert secret in response.content.decode()
    assert secret not in lea.get("/tokens").content.decode()
    token = AuthToken.objects.get(user=cast.lea)
    assert lea.post("/tokens/revoke", {"key": token.token_key}).status_code == 302
    assert not AuthToken.objects.exists()


def test_only_own_tokens_are_listed_and_revoked(lea, ben, cast):
    lea.post("/tokens", {"days": "30"})
    key = AuthToken.objects.get(user=cast.lea).token_key
    assert key not in ben.get("/tokens").content.decode()
    assert ben.post("/tokens/revoke", {"key": key}).status_code == 404
    assert AuthToken.objects.exists()


def test_a_token_without_an_end_in_sight_is_refused(lea):
    response = lea.post("/tokens", {"days": "36500"})
    assert response.status_code == 422
    assert not AuthToken.objects.exists()


def test_deleting_wants_the_name_and_can_be_undone(lea, project):
    wrong = lea.post(url(project, "settings/delete/now"), {"name": "Tick"})
    assert wrong.status_code == 409
    assert lea.post(url(project, "settings/delete/now"), {"name": "Tickets"}).status_code == 302
    assert lea.get(url(project)).status_code == 404
    assert b"Tickets" in lea.get("/deleted").content
    assert lea.post(url(project, "restore")).status_code == 302
    assert lea.get(url(project)).status_code == 200


def test_only_owners_see_and_restore_deleted_projects(sign_in, lea, cast, project):
    Membership.objects.create(project=project, user=cast.cleo, role=Role.MANAGER)
    lea.post(url(project, "settings/delete/now"), {"name": "Tickets"})
    cleo = sign_in(cast.cleo)
    assert b"Tickets" not in cleo.get("/deleted").content
    assert cleo.post(url(project, "restore")).status_code == 404
    assert Project.objects.get(pk=project.pk).archived_at is not None


@pytest.mark.parametrize("who", ["ana", "ben", "cleo"])
@pytest.mark.parametrize(
    "rest", ["settings", "settings/labels", "settings/guidelines", "settings/delete"]
)
def test_settings_are_for_managers(sign_in, cast, project, who, rest):
    assert sign_in(getattr(cast, who)).get(url(project, rest)).status_code == 404


def test_a_manager_does_not_delete(sign_in, cast, project):
    Membership.objects.create(project=project, user=cast.cleo, role=Role.MANAGER)
    cleo = sign_in(cast.cleo)
    assert cleo.get(url(project)).status_code == 200
    assert cleo.get(url(project, "settings/delete")).status_code == 404
    assert cleo.post(url(project, "settings/delete/now"), {"name": "Tickets"}).status_code == 404


def test_what_the_database_cannot_hold_is_left_out_of_the_guidelines(lea, project):
    assert lea.post(url(project, "settings/guidelines"), {"guidelines": "a\0b"}).status_code == 302
    project.refresh_from_db()
    assert project.guidelines == "ab"


def test_rare_labels_count_more_where_a_lead_wants_it(lea, cast, project):
    assert training.head_of(project).plugin().class_weights == "none"
    assert lea.post(url(project), {**FORM, "balanced": "on"}).status_code == 302
    project.refresh_from_db()
    assert training.head_of(project).plugin().class_weights == "balanced"
    assert training.head_of(project).params == {}, "it stays of one recipe"
    spans = make_project(cast, task_type="spans")
    assert b'name="balanced"' not in lea.get(url(spans)).content
