"""Addresses of the API, version 1."""

from django.urls import URLPattern, path, re_path

from annotator.api import (
    exploring,
    imports,
    items,
    jobs,
    labeling,
    people,
    progress,
    projects,
    reviewing,
    schema,
    snapshots,
    students,
)

PROJECT = "projects/<int:project_id>"

urlpatterns: list[URLPattern] = [
    path("schema", schema.Schema.as_view(), name="api_schema"),
    path("docs", schema.Docs.as_view(), name="api_docs"),
    path("whoami", people.WhoAmI.as_view(), name="api_whoami"),
    path("tokens", people.Tokens.as_view(), name="api_tokens"),
    path("tokens/<str:prefix>", people.Token.as_view(), name="api_token"),
    path("invitations/accept", people.InvitationAccept.as_view(), name="api_invitation_accept"),
    path("projects", projects.Projects.as_view(), name="api_projects"),
    path(PROJECT, projects.OneProject.as_view(), name="api_project"),
    path(f"{PROJECT}/restore", projects.ProjectRestore.as_view(), name="api_project_restore"),
    path(f"{PROJECT}/labels", projects.Labels.as_view(), name="api_labels"),
    path(f"{PROJECT}/labels/order", projects.LabelsOrder.as_view(), name="api_labels_order"),
    path(f"{PROJECT}/labels/<int:label_id>", projects.OneLabel.as_view(), name="api_label"),
    path(
        f"{PROJECT}/labels/<int:label_id>/archive",
        projects.LabelArchive.as_view(),
        name="api_label_archive",
    ),
    path(
        f"{PROJECT}/labels/<int:label_id>/restore",
        projects.LabelRestore.as_view(),
        name="api_label_restore",
    ),
    path(f"{PROJECT}/members", people.Members.as_view(), name="api_members"),
    path(f"{PROJECT}/members/<int:member_id>", people.Member.as_view(), name="api_member"),
    path(
        f"{PROJECT}/members/<int:member_id>/reset-link",
        people.MemberReset.as_view(),
        name="api_member_reset",
    ),
    path(f"{PROJECT}/invitations", people.Invitations.as_view(), name="api_invitations"),
    path(
        f"{PROJECT}/invitations/<int:invitation_id>",
        people.InvitationEnd.as_view(),
        name="api_invitation",
    ),
    path(f"{PROJECT}/items", items.Items.as_view(), name="api_items"),
    path(f"{PROJECT}/items/<int:item_id>", items.OneItem.as_view(), name="api_item"),
    path(
        f"{PROJECT}/items/<int:item_id>/similar",
        exploring.Similar.as_view(),
        name="api_item_similar",
    ),
    path(f"{PROJECT}/bulk", exploring.Bulk.as_view(), name="api_bulk"),
    path(f"{PROJECT}/bulk/preview", exploring.BulkPreview.as_view(), name="api_bulk_preview"),
    path(f"{PROJECT}/bulk/<int:job_id>/undo", exploring.BulkUndo.as_view(), name="api_bulk_undo"),
    path(f"{PROJECT}/annotations", items.Annotations.as_view(), name="api_annotations"),
    path(
        f"{PROJECT}/annotations/<uuid:uuid>", items.OneAnnotation.as_view(), name="api_annotation"
    ),
    path(f"{PROJECT}/verdicts", items.Verdicts.as_view(), name="api_verdicts"),
    path(f"{PROJECT}/next", labeling.Next.as_view(), name="api_next"),
    path(f"{PROJECT}/answers", labeling.Answers.as_view(), name="api_answers"),
    path(f"{PROJECT}/leases", labeling.Leases.as_view(), name="api_leases"),
    path(f"{PROJECT}/leases/renew", labeling.LeasesRenew.as_view(), name="api_leases_renew"),
    path(f"{PROJECT}/leases/release", labeling.LeasesRelease.as_view(), name="api_leases_release"),
    path(f"{PROJECT}/flags", reviewing.Flags.as_view(), name="api_flags"),
    path(f"{PROJECT}/flags/settle", reviewing.FlagsSettle.as_view(), name="api_flags_settle"),
    path(f"{PROJECT}/review", reviewing.Review.as_view(), name="api_review"),
    path(f"{PROJECT}/imports", imports.Imports.as_view(), name="api_imports"),
    path(f"{PROJECT}/imports/<int:import_id>", imports.OneImport.as_view(), name="api_import"),
    path(
        f"{PROJECT}/imports/<int:import_id>/preview",
        imports.ImportPreview.as_view(),
        name="api_import_preview",
    ),
    path(
        f"{PROJECT}/imports/<int:import_id>/start",
        imports.ImportStart.as_view(),
        name="api_import_start",
    ),
    path(
        f"{PROJECT}/imports/<int:import_id>/decide",
        imports.ImportDecide.as_view(),
        name="api_import_decide",
    ),
    path(
        f"{PROJECT}/imports/<int:import_id>/discard",
        imports.ImportDiscard.as_view(),
        name="api_import_discard",
    ),
    path(
        f"{PROJECT}/imports/<int:import_id>/undo",
        imports.ImportUndo.as_view(),
        name="api_import_undo",
    ),
    path(f"{PROJECT}/jobs", jobs.Jobs.as_view(), name="api_jobs"),
    path(f"{PROJECT}/jobs/<int:job_id>", jobs.OneJob.as_view(), name="api_job"),
    path(f"{PROJECT}/jobs/<int:job_id>/cancel", jobs.JobCancel.as_view(), name="api_job_cancel"),
    path(f"{PROJECT}/students", students.Students.as_view(), name="api_students"),
    path(f"{PROJECT}/students/<int:student_id>", students.OneStudent.as_view(), name="api_student"),
    path(
        f"{PROJECT}/students/<int:student_id>/promote",
        students.StudentPromote.as_view(),
        name="api_student_promote",
    ),
    path(f"{PROJECT}/students/unpin", students.StudentsUnpin.as_view(), name="api_students_unpin"),
    path(
        f"{PROJECT}/students/finetune",
        students.StudentsFinetune.as_view(),
        name="api_students_finetune",
    ),
    path(f"{PROJECT}/predict", students.Predict.as_view(), name="api_predict"),
    path(f"{PROJECT}/progress", progress.Progress.as_view(), name="api_progress"),
    path(f"{PROJECT}/snapshots", snapshots.Snapshots.as_view(), name="api_snapshots"),
    path(
        f"{PROJECT}/snapshots/<int:snapshot_id>",
        snapshots.OneSnapshot.as_view(),
        name="api_snapshot",
    ),
    path(
        f"{PROJECT}/snapshots/<int:snapshot_id>/download",
        snapshots.SnapshotDownload.as_view(),
        name="api_snapshot_download",
    ),
    re_path(r"^(?P<rest>.*)$", schema.NothingHere.as_view(), name="api_nothing"),
]
