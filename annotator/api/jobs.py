"""Background work: what runs, how far it is, and stopping it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator import jobs
from annotator.api.base import Endpoint, allowed
from annotator.api.parsing import query
from annotator.errors import ForbiddenError, NotFoundError
from annotator.job_kinds import KINDS
from annotator.models import Can, Job, JobState, Project


class JobShape(serializers.ModelSerializer[Job]):
    """`seconds_left` is that of the present part of the work, and null while its pace cannot be told."""

    seconds_left = serializers.FloatField(read_only=True, allow_null=True)

    class Meta:
        model = Job
        fields = [
            *("id", "kind", "state", "attempt", "done", "total", "seconds_left", "message"),
            *("error", "result", "cancel_requested"),
            *("created_at", "started_at", "finished_at"),
        ]


class JobFilters(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=JobState.choices, required=False)
    kind = serializers.ChoiceField(choices=list(KINDS), required=False)


def job_of(endpoint: Endpoint, project: Project, job_id: int) -> Job:
    """A job of this project: any for those who see others' work, else one's own."""
    rows = Job.objects.for_user(endpoint.person, Can.OPEN).filter(project=project, pk=job_id)
    if not allowed(project, Can.SEE):
        rows = rows.filter(started_by=endpoint.person)
    job = rows.first()
    if job is None:
        raise NotFoundError("There is no such job in this project.")
    return job


class Jobs(Endpoint):
    @extend_schema(
        parameters=[JobFilters], responses=JobShape(many=True), summary="Jobs, latest first"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        wish = query(request, JobFilters)
        rows = Job.objects.for_user(self.person).filter(project=project)
        rows = rows.filter(**{name: wish[name] for name in ("state", "kind") if name in wish})
        return self.page(rows, JobShape)


class OneJob(Endpoint):
    @extend_schema(responses=JobShape, summary="One job")
    def get(self, request: Request, project_id: int, job_id: int) -> Response:
        project = self.project(project_id, Can.OPEN)
        return Response(JobShape(job_of(self, project, job_id)).data)


class JobCancel(Endpoint):
    @extend_schema(
        request=None,
        responses={202: JobShape},
        summary="Ask a job to stop: a waiting one stops at once, a running one soon",
    )
    def post(self, request: Request, project_id: int, job_id: int) -> Response:
        project = self.project(project_id, Can.OPEN)
        job = job_of(self, project, job_id)
        if job.started_by_id != self.person.pk and not allowed(project, Can.MANAGE):
            raise ForbiddenError("Only managers stop jobs that others started.")
        jobs.request_cancel(job)
        job.refresh_from_db()
        return Response(JobShape(job).data, status=202)
