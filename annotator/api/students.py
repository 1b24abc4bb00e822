"""Students: versions, promotion, fine-tuning, and their word on other texts or images."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.students import (
    leaving,
    looked_at,
    promoting,
    teaching,
    version_figures,
)
from annotator.api.base import Endpoint
from annotator.api.jobs import JobShape
from annotator.api.parsing import IdField, ObjectField, RoomyJson, body
from annotator.api.projects import ProjectShape
from annotator.errors import InvalidError, NotFoundError
from annotator.models import Can, Label, Project, SetCalibration, StudentVersion

if TYPE_CHECKING:
    from annotator.runtime.modelclient import Items


class SetsShape(serializers.Serializer[Any]):
    """A student's answer sets. `band` is where the coverage lies with so many calibration `items`;
    `held` is the share of evaluation answers that were in their set. `luck` and `difference` are how
    likely such a coverage, and such unlike calibration items, are by chance. Null: not known."""

    method = serializers.CharField()
    coverage = serializers.FloatField()
    items = serializers.IntegerField()
    needed = serializers.IntegerField(help_text="Calibration items that a promise takes.")
    promised = serializers.BooleanField()
    band = serializers.ListField(child=serializers.FloatField(), allow_null=True)
    held = serializers.DictField(allow_null=True)
    size = serializers.FloatField(allow_null=True)
    luck = serializers.FloatField(allow_null=True)
    difference = serializers.FloatField(allow_null=True)


class FigureShape(serializers.Serializer[Any]):
    """A student's one figure, 0…1, with its 95 % interval. `estimate`: audit or out-of-fold."""

    accuracy = serializers.FloatField(source="value", allow_null=True)
    accuracy_low = serializers.FloatField(source="low", allow_null=True)
    accuracy_high = serializers.FloatField(source="high", allow_null=True)
    evaluated_on = serializers.IntegerField(source="n")
    estimate = serializers.CharField(source="source")


class StudentRows(serializers.ListSerializer[Any]):
    """Many at once, their figures computed together."""

    def to_representation(self, data: Any) -> Any:
        rows = list(data)
        context: Any = self.context
        context["headlines"] = version_figures.headlines(context["project"], rows)
        return super().to_representation(rows)


class StudentShape(serializers.ModelSerializer[StudentVersion]):
    """`accuracy` (0…1) with its 95 % interval, and on what it was measured: `estimate` is audit
    (the evaluation answers of now that it surely never learned from) or out-of-fold (an early figure,
    not on a random sample), as on the pages; `when_trained` is the same as it was then, and `metrics` are
    of then. Of spans it is their F1, of orders the share of pairs in the right order. `beside` tells which
    voice taught it by how many soft rows of what weight, and what that bought on the sample; or,
    as `unanswered`, from how many items without an answer it learned by itself, and what that bought."""

    current = serializers.SerializerMethodField()
    answer_sets = serializers.SerializerMethodField()

    when_trained = serializers.SerializerMethodField()

    class Meta:
        model = StudentVersion
        list_serializer_class = StudentRows
        fields = [
            *("id", "number", "kind", "params", "state", "current", "label_ids", "position"),
            *("trained_on", "answers", "seconds", "device", "digest"),
            *("accuracy", "accuracy_low", "accuracy_high", "evaluated_on", "estimate", "metrics"),
            "when_trained",
            *("beside", "answer_sets", "created_at", "promoted_at"),
        ]

    def to_representation(self, instance: StudentVersion) -> Any:
        """With its figure of now in the place of that of its training."""
        known = self.context.get("headlines", {})
        figure = known.get(instance.pk) or version_figures.headline(instance)
        return super().to_representation(instance) | FigureShape(figure).data

    @extend_schema_field(FigureShape)
    def get_when_trained(self, student: StudentVersion) -> dict[str, Any]:
        """The figure that it got when it was trained, which stays."""
        return dict(FigureShape(version_figures.when_trained(student)).data)

    def get_current(self, student: StudentVersion) -> bool:
        """Whether its suggestions are shown and its doubt fills the queue."""
        return bool(self.context["project"].current_student_id == student.pk)

    @extend_schema_field(SetsShape(allow_null=True))
    def get_answer_sets(self, student: StudentVersion) -> dict[str, Any] | None:
        """How its sets were calibrated; null where they are off or older than this figure."""
        kept: SetCalibration | None = getattr(student, "sets", None)
        if kept is None:
            return None
        told = ("needed", "band", "held", "size", "luck", "difference")
        return {
            "method": kept.method,
            "coverage": kept.coverage,
            "items": kept.items,
            "promised": kept.thresholds is not None,
            **{name: kept.figures.get(name) for name in told},
        }


class FinetuneWish(serializers.Serializer[Any]):
    kind = serializers.CharField(
        default="",
        allow_blank=True,
        help_text="Another student to train, such as “contrastive”; none: the one that is fine-tuned.",
    )
    params = ObjectField(
        default=dict,
        help_text="Its hyper-parameters; of “finetune”, of spans “token-finetune” or of images “image-finetune”, where no kind is named.",
    )


class Asked(serializers.Serializer[Any]):
    """`texts`, or `images` where the project's items are images."""

    texts = serializers.ListField(
        child=serializers.CharField(max_length=teaching.LONGEST_TEXT, trim_whitespace=False),
        min_length=1,
        max_length=teaching.TEXTS_AT_MOST,
        required=False,
    )
    images = serializers.ListField(
        child=serializers.CharField(),
        min_length=1,
        max_length=looked_at.IMAGES_AT_MOST,
        required=False,
        help_text="The content of files in base64: PNG, JPEG, WebP or the first frame of a GIF, up to "
        f"{looked_at.MOST_PIXELS // 1_000_000} million pixels each and "
        f"{looked_at.MOST_TOGETHER // 1_000_000} million together.",
    )
    student = IdField(required=False, help_text="Another version than the current one.")
    top = serializers.IntegerField(
        default=0, min_value=0, max_value=1_000, help_text="Only the likeliest labels; 0: all."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Exactly one kind of item is asked about."""
        if ("texts" in attrs) == ("images" in attrs):
            raise serializers.ValidationError("Send texts, or images; one of the two.")
        return attrs


class MarkShape(serializers.Serializer[Any]):
    """A marked stretch of the text: Unicode code points, the end exclusive; `text` is what lies there."""

    label = serializers.IntegerField(help_text="The id of the label.")  # type: ignore[assignment]
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    text = serializers.CharField()
    probability = serializers.FloatField()


class GuessShape(serializers.Serializer[Any]):
    """[label id, probability] pairs, likeliest first. Where answers mark spans they say how likely the label is
    marked somewhere, and `spans` holds what the student marks, in the order of the text."""

    labels = serializers.ListField(child=serializers.ListField())
    spans = MarkShape(many=True, required=False)


class Guesses(serializers.Serializer[Any]):
    """`results` in the order of the texts or images; `names` of the labels in them, by id."""

    student = serializers.IntegerField(help_text="The id of the version that was asked.")
    number = serializers.IntegerField(help_text="Its number, as the screens show it.")
    names = serializers.DictField(child=serializers.CharField())
    results = GuessShape(many=True)


class OfStudents(Endpoint):
    """An endpoint about the students of a project."""

    def student(self, project: Project, student_id: int) -> StudentVersion:
        rows = StudentVersion.objects.for_user(self.person).filter(project=project)
        student = rows.select_related("encoding", "sets").filter(pk=student_id).first()
        if student is None:
            raise NotFoundError("There is no such student in this project.")
        return student


class Students(OfStudents):
    @extend_schema(responses=StudentShape(many=True), summary="Students, latest first")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        rows = StudentVersion.objects.for_user(self.person).filter(project=project)
        rows = rows.select_related("sets")
        return self.page(rows, StudentShape, ordering="-number", context={"project": project})


class OneStudent(OfStudents):
    @extend_schema(responses=StudentShape, summary="One student")
    def get(self, request: Request, project_id: int, student_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        student = self.student(project, student_id)
        return Response(StudentShape(student, context={"project": project}).data)

    @extend_schema(
        responses={204: None},
        summary="Delete a student and its files; not the current one, nor one that is to label a file",
    )
    def delete(self, request: Request, project_id: int, student_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        promoting.delete(project, self.student(project, student_id))
        return Response(status=204)


class StudentPromote(OfStudents):
    @extend_schema(
        request=None,
        responses=StudentShape,
        summary="Make a student the current one; other recipes wait until unpinned, and if there is a later version of its recipe, refits too",
    )
    def post(self, request: Request, project_id: int, student_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        promoting.promote(project, self.student(project, student_id), by=self.person)
        project = self.project(project_id, Can.MANAGE)
        student = self.student(project, student_id)
        return Response(StudentShape(student, context={"project": project}).data)


class StudentsUnpin(OfStudents):
    @extend_schema(
        request=None, responses=ProjectShape, summary="Let newer students take over again"
    )
    def post(self, request: Request, project_id: int) -> Response:
        promoting.unpin(self.project(project_id, Can.MANAGE))
        return Response(ProjectShape(self.project(project_id, Can.MANAGE)).data)


class StudentsFinetune(OfStudents):
    budget = "heavy"

    @extend_schema(
        request=FinetuneWish, responses={202: JobShape}, summary="Train a student by hand"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        wish = body(request, FinetuneWish)
        job = teaching.start_finetune(project, self.person, wish["params"], wish["kind"])
        job.refresh_from_db()
        return Response(JobShape(job).data, status=202)


class StudentDownload(OfStudents):
    budget = "heavy"

    @extend_schema(
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
        summary="A student as a folder that works elsewhere, as a zip",
    )
    def get(self, request: Request, project_id: int, student_id: int) -> StreamingHttpResponse:
        project = self.project(project_id, Can.MANAGE)
        student = self.student(project, student_id)
        content = leaving.archive(student)
        response = StreamingHttpResponse(content, content_type="application/zip")
        name = f"{leaving.package_of(student)}.zip"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "private, no-store"
        return response


class Predict(OfStudents):
    budget = "heavy"
    parser_classes = [RoomyJson]

    @extend_schema(
        request=Asked, responses=Guesses, summary="A student's word on given texts or images"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.SEE)
        wish = body(request, Asked)
        named = self.student(project, wish["student"]) if "student" in wish else None
        items = _items(project, wish)
        version = teaching.asked(project, named)
        guesses = teaching.predict(project, items, version, wish["top"])
        told = {pk for guess in guesses for pk, _ in guess.labels}
        told |= {mark.label for guess in guesses for mark in guess.marks or ()}
        names = Label.objects.filter(project=project, pk__in=told).values_list("pk", "name")
        return Response(
            {
                "student": version.pk,
                "number": version.number,
                "names": {str(pk): name for pk, name in names},
                "results": [
                    _result(guess, item) for guess, item in zip(guesses, items, strict=True)
                ],
            }
        )


def _result(guess: teaching.Guess, item: Any) -> dict[str, Any]:
    if guess.marks is None:
        return {"labels": guess.labels}
    spans = [asdict(mark) | {"text": item[mark.start : mark.end]} for mark in guess.marks]
    return {"labels": guess.labels, "spans": spans}


def _items(project: Project, wish: dict[str, Any]) -> Items:
    """What is asked about. Raises InvalidError for what no student of this project takes."""
    teaching.refuse_others(project, images="images" in wish)
    if "images" in wish:
        return looked_at.from_base64(wish["images"], "images")
    texts: list[str] = wish["texts"]
    for number, text in enumerate(texts):
        if not text.strip():
            raise InvalidError(f"Text {number} (from 0) is empty.", field="texts")
    teaching.refuse_half_pairs(project, texts)
    return texts
