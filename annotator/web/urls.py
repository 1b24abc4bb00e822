"""Addresses of the pages."""

from django.urls import include, path

from annotator.web import (
    answers,
    endpoints,
    entrance,
    home,
    imports,
    joining,
    label,
    settings,
    tokens,
    webhook_hosts,
)

urlpatterns = [
    path("", home.home, name="home"),
    path("welcome", entrance.welcome, name="welcome"),
    path("projects/new", imports.new, name="project_new"),
    path("projects/<int:project_id>/imports", imports.imports, name="imports"),
    path("projects/<int:project_id>/imports/<int:import_id>", imports.one, name="import"),
    path(
        "projects/<int:project_id>/imports/<int:import_id>/state",
        imports.state,
        name="import_state",
    ),
    path(
        "projects/<int:project_id>/imports/<int:import_id>/decide",
        imports.decide,
        name="import_decide",
    ),
    path(
        "projects/<int:project_id>/imports/<int:import_id>/undo", imports.undo, name="import_undo"
    ),
    path("projects/<int:project_id>/", home.project, name="project"),
    path("projects/<int:project_id>/label", label.label, name="label"),
    path("projects/<int:project_id>/label/answer", label.answer, name="label_answer"),
    path("projects/<int:project_id>/label/renew", label.renew, name="label_renew"),
    path("projects/<int:project_id>/label/release", label.release, name="label_release"),
    path("projects/<int:project_id>/label/mine", answers.mine, name="label_mine"),
    path("projects/<int:project_id>/label/mine/<uuid:uuid>", answers.change, name="label_change"),
    path("projects/<int:project_id>/images/<str:name>", label.image, name="item_image"),
    path("join/<str:secret>", joining.join, name="join"),
    path("reset/<str:secret>", joining.reset_password, name="reset_password"),
    path("tokens", tokens.tokens, name="tokens"),
    path("tokens/revoke", tokens.revoke, name="token_revoke"),
    path("endpoints", endpoints.endpoints, name="endpoints"),
    path("endpoints/<int:endpoint_id>/switch", endpoints.switch, name="endpoint_switch"),
    path("endpoints/<int:endpoint_id>/delete", endpoints.delete, name="endpoint_delete"),
    path("webhook-hosts", webhook_hosts.hosts, name="webhook_hosts"),
    path(
        "webhook-hosts/<int:host_id>/withdraw", webhook_hosts.withdraw, name="webhook_host_withdraw"
    ),
    path("deleted", settings.deleted, name="deleted"),
    path("projects/<int:project_id>/", include("annotator.web.screen_urls")),
]
