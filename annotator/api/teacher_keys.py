"""The project's key for a teacher's endpoint: withdrawn; it is set with the teacher."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.teachers import teachers
from annotator.api.teachers import OfTeacher
from annotator.models import Can


class TeacherKey(OfTeacher):
    @extend_schema(
        responses={204: None}, summary="Withdraw the project's key for a teacher's endpoint"
    )
    def delete(self, request: Request, project_id: int, teacher_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        teachers.withdraw_key(self.teacher(project, teacher_id))
        return Response(status=204)
