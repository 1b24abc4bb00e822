"""Projects and their label schema."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.projects import asking, copying, projects, schema
from annotator.api.base import Endpoint
from annotator.api.parsing import IdField, ObjectField, PluginField, body, query
from annotator.errors import InvalidError, NotFoundError
from annotator.models import Can, ItemKind, Label, Membership, Project, Role
from annotator.models.project import (
    conformal_choices,
    consensus_choices,
    encoder_choices,
    strategy_choices,
    task_type_choices,
)


class ProjectShape(serializers.ModelSerializer[Project]):
    """A project as its members see it, with what the reader is in it."""

    role = serializers.CharField(read_only=True)
    task_type = serializers.CharField()
    encoder = serializers.CharField()
    strategy = serializers.CharField()
    consensus = serializers.CharField()
    set_method = serializers.CharField()

    class Meta:
        model = Project
        fields = [
            *("id", "name", "description", "task_type", "item_kind", "guidelines", "role"),
            *("overlap", "blind", "digit_answers", "audit_share", "audit_size"),
            *("encoder", "encoder_params", "strategy", "label_questions", "consensus"),
            *("sure_at", "voices_at_most", "share_at_most", "gold_share"),
            *("entry_items", "entry_pass", "answer_sets", "set_coverage", "set_method"),
            *("retrain_answers", "retrain_seconds", "training_paused", "soft_rows", "best_f1"),
            *("balanced", "item_count", "student_pinned", "created_at", "archived_at"),
        ]


class Settings(serializers.Serializer[Any]):
    """What may be changed at any time."""

    name = serializers.CharField(max_length=200, required=False)
    description = serializers.CharField(max_length=500, allow_blank=True, required=False)
    guidelines = serializers.CharField(max_length=200_000, allow_blank=True, required=False)
    overlap = serializers.IntegerField(min_value=1, max_value=100, required=False)
    blind = serializers.BooleanField(required=False)
    digit_answers = serializers.BooleanField(required=False)
    audit_share = serializers.FloatField(min_value=0, max_value=1, required=False)
    audit_size = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)
    encoder = PluginField(encoder_choices, required=False)
    encoder_params = ObjectField(required=False)
    strategy = PluginField(strategy_choices, required=False)
    label_questions = serializers.BooleanField(
        required=False,
        help_text="With several labels per item: ask about one label where all others are sure. "
        "Choosing a strategy that asks so switches it on.",
    )
    consensus = PluginField(consensus_choices, required=False)
    sure_at = serializers.FloatField(
        min_value=0,
        max_value=0.99,
        required=False,
        help_text="Another person is asked while the belief in a verdict is below this; 0 never.",
    )
    voices_at_most = serializers.IntegerField(min_value=1, max_value=100, required=False)
    share_at_most = serializers.FloatField(
        min_value=0.001,
        max_value=1,
        required=False,
        help_text="Of all wanted answers, one person's.",
    )
    gold_share = serializers.FloatField(
        min_value=0, max_value=asking.GOLD_AT_MOST, required=False, help_text="Needs gold items."
    )
    entry_items = serializers.IntegerField(
        min_value=0,
        max_value=1_000,
        required=False,
        help_text="Gold items that a new annotator answers first, with feedback.",
    )
    entry_pass = serializers.FloatField(min_value=0, max_value=1, required=False)
    answer_sets = serializers.BooleanField(
        required=False, help_text="Mark the labels that hold with the coverage below."
    )
    set_coverage = serializers.FloatField(
        min_value=projects.LEAST_COVERAGE, max_value=projects.MOST_COVERAGE, required=False
    )
    set_method = PluginField(
        conformal_choices,
        required=False,
        allow_blank=True,
        help_text="Empty: the first that fits the task type.",
    )
    retrain_answers = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False)
    retrain_seconds = serializers.IntegerField(min_value=0, max_value=86_400, required=False)
    training_paused = serializers.BooleanField(required=False)
    soft_rows = serializers.BooleanField(
        required=False,
        help_text="Let the head learn also what a teacher or another student says of items that nobody "
        "answered, while that one is better on the random sample; else how they lie, while that does no "
        "harm there.",
    )
    best_f1 = serializers.BooleanField(
        required=False,
        help_text="With several labels an item, let the head give a label from the probability on that makes "
        "F1 best, by its own word on answers that it has not met, and not from a half on; a half then means it.",
    )
    balanced = serializers.BooleanField(
        required=False,
        help_text="Let rare labels count more when the head learns (`class_weights: balanced` of a head).",
    )


class NewProject(Settings):
    name = serializers.CharField(max_length=200)
    task_type = PluginField(task_type_choices, default="single")
    item_kind = serializers.ChoiceField(choices=ItemKind.choices, default=ItemKind.TEXT)


class ProjectLike(serializers.Serializer[Any]):
    """A new project set up like another one that I manage."""

    name = serializers.CharField(max_length=200)
    item_kind = serializers.ChoiceField(
        choices=ItemKind.choices, required=False, help_text="Left out: that of the other one."
    )


class ProjectFilters(serializers.Serializer[Any]):
    deleted = serializers.BooleanField(
        default=False, help_text="Only deleted projects of mine, which may still be restored."
    )


class LabelShape(serializers.ModelSerializer[Label]):
    class Meta:
        model = Label
        fields = [
            *("id", "key", "name", "description", "hotkey", "colour", "parent_id", "position"),
            *("form_question_id", "column", "words", "archived_at"),
        ]


class LabelFields(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=schema.LONGEST_NAME, required=False)
    description = serializers.CharField(max_length=10_000, allow_blank=True, required=False)
    hotkey = serializers.CharField(max_length=1, allow_blank=True, required=False)
    colour = serializers.IntegerField(min_value=0, max_value=1_000, required=False)
    means_else = serializers.BooleanField(
        required=False,
        help_text="What it means has changed: items that have it wait for a reviewer's second look.",
    )


class NewLabel(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=schema.LONGEST_NAME)
    key = serializers.CharField(max_length=90, default="", allow_blank=True)
    description = serializers.CharField(max_length=10_000, default="", allow_blank=True)
    hotkey = serializers.CharField(max_length=1, default="", allow_blank=True)
    parent_id = IdField(required=False, allow_null=True)


class LabelFilters(serializers.Serializer[Any]):
    archived = serializers.BooleanField(default=False, help_text="With archived labels.")


class LabelOrder(serializers.Serializer[Any]):
    labels = serializers.ListField(child=IdField(), max_length=10_000)


class Projects(Endpoint):
    @extend_schema(
        parameters=[ProjectFilters], responses=ProjectShape(many=True), summary="My projects"
    )
    def get(self, request: Request) -> Response:
        if query(request, ProjectFilters)["deleted"]:
            rows = deleted(self.person.pk)
        else:
            rows = Project.objects.for_user(self.person)
        return self.page(rows.with_role(self.person), ProjectShape)

    @extend_schema(
        request=NewProject, responses={201: ProjectShape}, summary="Make a project of one's own"
    )
    def post(self, request: Request) -> Response:
        made = projects.create_project(self.person, **body(request, NewProject))
        return Response(ProjectShape(self.project(made.pk, Can.OPEN)).data, status=201)


class ProjectCopies(Endpoint):
    @extend_schema(
        request=ProjectLike,
        responses={201: ProjectShape},
        summary="Make a project of one's own that is set up like this one",
    )
    def post(self, request: Request, project_id: int) -> Response:
        source = self.project(project_id, Can.MANAGE)
        made = copying.create_like(source, self.person, **body(request, ProjectLike))
        return Response(ProjectShape(self.project(made.pk, Can.OPEN)).data, status=201)


def deleted(user_id: int) -> Any:
    """Deleted projects that this person owns and that are not purged yet."""
    owned = Membership.objects.filter(user_id=user_id, role=Role.OWNER).values("project")
    return Project.objects.filter(pk__in=owned).exclude(archived_at=None)


class OneProject(Endpoint):
    @extend_schema(responses=ProjectShape, summary="A project and its settings")
    def get(self, request: Request, project_id: int) -> Response:
        return Response(ProjectShape(self.project(project_id, Can.OPEN)).data)

    @extend_schema(request=Settings, responses=ProjectShape, summary="Change settings")
    def patch(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        projects.change_project(project, by=self.person, **body(request, Settings))
        return Response(ProjectShape(self.project(project_id, Can.OPEN)).data)

    @extend_schema(responses={204: None}, summary="Delete a project; it is purged a week later")
    def delete(self, request: Request, project_id: int) -> Response:
        projects.delete_project(self.project(project_id, Can.OWN))
        return Response(status=204)


class ProjectRestore(Endpoint):
    @extend_schema(request=None, responses=ProjectShape, summary="Bring a deleted project back")
    def post(self, request: Request, project_id: int) -> Response:
        project = deleted(self.person.pk).filter(pk=project_id).first()
        if project is None:
            raise NotFoundError("There is no deleted project of yours with this number.")
        projects.restore_project(project)
        return Response(ProjectShape(self.project(project_id, Can.OPEN)).data)


class Labels(Endpoint):
    @extend_schema(
        parameters=[LabelFilters], responses=LabelShape(many=True), summary="The label schema"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.OPEN)
        rows = Label.objects.for_user(self.person).filter(project=project)
        if not query(request, LabelFilters)["archived"]:
            rows = rows.live()
        ordered = rows.order_by("position", "id")
        return Response({"results": LabelShape(ordered, many=True).data})

    @extend_schema(request=NewLabel, responses={201: LabelShape}, summary="Add a label at the end")
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        wish = body(request, NewLabel)
        parent_id = wish.pop("parent_id", None)
        parent = one_label(self, project, parent_id) if parent_id else None
        label = schema.add_label(project, parent=parent, **wish)
        return Response(LabelShape(label).data, status=201)


def one_label(endpoint: Endpoint, project: Project, label_id: int) -> Label:
    """A label of this very project. Raises NotFoundError otherwise."""
    rows = Label.objects.for_user(endpoint.person).filter(project=project)
    label = rows.filter(pk=label_id).first()
    if label is None:
        raise NotFoundError("There is no such label in this project.")
    return label


class OneLabel(Endpoint):
    @extend_schema(request=LabelFields, responses=LabelShape, summary="Rename or describe a label")
    def patch(self, request: Request, project_id: int, label_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        label = one_label(self, project, label_id)
        now = {"name": label.name, "description": label.description, "hotkey": label.hotkey}
        schema.change_label(label, by=self.person, **(now | body(request, LabelFields)))
        return Response(LabelShape(label).data)


class LabelArchive(Endpoint):
    @extend_schema(request=None, responses=LabelShape, summary="Archive a label; answers stay")
    def post(self, request: Request, project_id: int, label_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        schema.archive_label(one_label(self, project, label_id))
        return Response(LabelShape(one_label(self, project, label_id)).data)


class LabelRestore(Endpoint):
    @extend_schema(request=None, responses=LabelShape, summary="Put an archived label back")
    def post(self, request: Request, project_id: int, label_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        schema.restore_label(one_label(self, project, label_id))
        return Response(LabelShape(one_label(self, project, label_id)).data)


class LabelsOrder(Endpoint):
    @extend_schema(
        request=LabelOrder, responses=LabelShape(many=True), summary="Show labels in this order"
    )
    def put(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.MANAGE)
        wanted = body(request, LabelOrder)["labels"]
        rows = Label.objects.for_user(self.person).filter(project=project)
        known = set(rows.values_list("pk", flat=True))
        strangers = sorted(set(wanted) - known)
        if strangers:
            raise InvalidError(f"Label {strangers[0]} is not in this project.", field="labels")
        schema.reorder_labels(project, wanted)
        ordered = rows.live().order_by("position", "id")
        return Response({"results": LabelShape(ordered, many=True).data})
