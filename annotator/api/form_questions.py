"""Questions of a form."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.projects import form_questions
from annotator.api.base import Endpoint
from annotator.api.parsing import IdField, body
from annotator.errors import NotFoundError
from annotator.models import Can, FormQuestion, Label, Project


class QuestionShape(serializers.ModelSerializer[FormQuestion]):
    """A question; `only_if` are labels of one earlier question, empty where it is always asked.

    One of kind `text` has no labels; `optional`: it may be left empty; `edits`: it begins with the item's
    second text.
    """

    labels = serializers.SerializerMethodField()

    class Meta:
        model = FormQuestion
        fields = [
            *("id", "key", "name", "kind", "position", "only_if", "optional", "edits", "labels")
        ]

    def get_labels(self, question: FormQuestion) -> list[int]:
        """Its live labels in their order."""
        return list(
            Label.objects.live()
            .filter(form_question=question)
            .order_by("position", "id")
            .values_list("pk", flat=True)
        )


class QuestionFields(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=FormQuestion.LONGEST_NAME, required=False)
    kind = serializers.ChoiceField(choices=form_questions.KINDS, required=False)
    only_if = serializers.ListField(
        child=IdField(),
        max_length=100,
        required=False,
        help_text="Labels of one earlier question: it is asked only where one of them was given.",
    )
    optional = serializers.BooleanField(
        required=False, help_text="Of a text: whether it may be left empty."
    )
    edits = serializers.BooleanField(
        required=False, help_text="Of a text: whether it begins with the item's second text."
    )


class NewQuestion(QuestionFields):
    name = serializers.CharField(max_length=FormQuestion.LONGEST_NAME)
    answers = serializers.ListField(
        child=serializers.CharField(max_length=120),
        max_length=100,
        required=False,
        help_text="Names of its labels; of a rating the lowest first.",
    )


class Questions(Endpoint):
    @extend_schema(responses=QuestionShape(many=True), summary="The questions of a form")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.OPEN)
        rows = FormQuestion.objects.for_user(self.person).filter(project=project)
        return Response({"results": QuestionShape(rows, many=True).data})

    @extend_schema(
        request=NewQuestion, responses={201: QuestionShape}, summary="Ask a further question"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        wish = body(request, NewQuestion)
        labels = [(name, "") for name in wish.pop("answers", ())]
        made = form_questions.add_question(project, labels=labels, **wish)
        return Response(QuestionShape(made).data, status=201)


class OneQuestion(Endpoint):
    @extend_schema(
        request=QuestionFields, responses=QuestionShape, summary="Rename or change a question"
    )
    def patch(self, request: Request, project_id: int, question_id: int) -> Response:
        question = self._question(self.project(project_id, Can.MANAGE), question_id)
        changed = form_questions.change_question(question, **body(request, QuestionFields))
        return Response(QuestionShape(changed).data)

    @extend_schema(responses={204: None}, summary="Take a question away that nobody answered")
    def delete(self, request: Request, project_id: int, question_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        form_questions.remove_question(self._question(project, question_id))
        return Response(status=204)

    def _question(self, project: Project, question_id: int) -> FormQuestion:
        rows = FormQuestion.objects.for_user(self.person).filter(project=project)
        question = rows.filter(pk=question_id).first()
        if question is None:
            raise NotFoundError("There is no such question in this project.")
        return question
