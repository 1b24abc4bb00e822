"""Addresses of the screens around the label page, below a project's own address."""

from django.urls import path

from annotator.web import bulk, explore, jobs, progress

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
]
