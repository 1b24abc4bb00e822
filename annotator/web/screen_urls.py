"""Addresses of the screens around the label page, below a project's own address."""

from django.urls import path

from annotator.web import bulk, explore, jobs, labels, people, progress, settings

urlpatterns = [
    path("progress", progress.progress, name="progress"),
    path("jobs/<slug:group>", jobs.poll, name="jobs"),
    path("jobs/<int:job_id>/cancel", jobs.cancel, name="job_cancel"),
    path("explore", explore.explore, name="explore"),
    path("items/<int:number>", explore.item, name="item"),
    path("items/<int:number>/similar", explore.similar, name="similar"),
    path("bulk", explore.undoing, name="bulk_list"),
    path("bulk/preview", bulk.preview, name="bulk_preview"),
    path("bulk/start", bulk.start, name="bulk_start"),
    path("bulk/<int:job_id>/undo", bulk.undo, name="bulk_undo"),
    path("annotators", people.annotators, name="annotators"),
    path("members", people.members, name="members"),
    path("members/<int:member_id>", people.member, name="member"),
    path("members/<int:member_id>/remove", people.remove, name="member_remove"),
    path("members/<int:member_id>/reset", people.reset, name="member_reset"),
    path("links/<int:invitation_id>/revoke", people.revoke, name="invitation_revoke"),
    path("settings", settings.settings, name="settings"),
    path("settings/labels", labels.labels, name="labels"),
    path("settings/labels/<int:label_id>", labels.label, name="label_edit"),
    path("settings/labels/<int:label_id>/move", labels.move, name="label_move"),
    path("settings/labels/<int:label_id>/archive", labels.archive, name="label_archive"),
    path("settings/labels/<int:label_id>/restore", labels.restore, name="label_restore"),
    path("settings/guidelines", settings.guidelines, name="guidelines"),
    path("settings/guidelines/preview", settings.guidelines_preview, name="guidelines_preview"),
    path("settings/delete", settings.danger, name="danger"),
    path("settings/delete/now", settings.delete, name="project_delete"),
    path("restore", settings.restore, name="project_restore"),
]
