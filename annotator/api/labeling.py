"""The loop of an annotator: lease items, answer them, keep or give back the leases."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.desk import assigning, labeling, revising, siding
from annotator.api.base import Endpoint
from annotator.api.items import AnnotationShape, ItemContent, shown_stream
from annotator.api.parsing import IdField, LabelField, ObjectField, body, label_ids
from annotator.errors import InvalidError
from annotator.models import Annotation, Annotator, Assignment, Can, Project, Stream

# What was said: labels, or a value where answers have one
SAID = "labels"

# What each kind of answer must bring besides its UUID
NEEDS = {
    "answer": ("assignment", SAID),
    "skip": ("assignment",),
    "retract": ("annotation",),
    "revise": ("annotation", SAID),
}


class LabelSetShape(serializers.Serializer[Any]):
    """Label ids, likeliest first. `coverage`: how many drawn items have the right answer in it."""

    coverage = serializers.FloatField()
    sure = serializers.ListField(child=serializers.IntegerField())
    maybe = serializers.ListField(child=serializers.IntegerField())


class LeaseShape(serializers.ModelSerializer[Assignment]):
    """An item that is with this person until `lease_until`.

    With a `question`, a label id, only that label is asked about: answer with the same `question` and
    with `labels` that hold it or are empty. A whole answer, without `question`, is always taken too.

    Two texts that are compared, and candidates that are ranked, are shown in the order `shown`; answers are
    about the item's own order.

    `suggestion` lists [label id, probability], likeliest first, or is an object like the `value` of an
    answer, with a `probability` for each part; of a form that marks the text it has `labels` as well as
    `spans`. It is empty and the reason is withheld where the item
    is labelled blind. `label_set` holds the labels that hold with its
    `coverage`, those that are `sure` and those that `maybe` are; null where nothing is promised.
    """

    item = ItemContent()
    stream = serializers.SerializerMethodField()
    question = serializers.SerializerMethodField()
    suggestion = serializers.SerializerMethodField()
    label_set = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField()
    shown = serializers.SerializerMethodField()

    class Meta:
        model = Assignment
        fields = [
            *("id", "item", "stream", "question", "reason", "suggestion", "label_set", "fallback"),
            *("shown", "lease_until"),
        ]

    @extend_schema_field(serializers.ChoiceField(choices=Stream.choices))
    def get_stream(self, lease: Assignment) -> str:
        """A gold item looks like an audit item."""
        return shown_stream(lease.stream)

    def get_question(self, lease: Assignment) -> int | None:
        """The one label that is asked about; a blind project hears of none."""
        return None if self.context["project"].blind else lease.question_id

    @extend_schema_field({"oneOf": [{"type": "array", "items": {}}, {"type": "object"}]})
    def get_suggestion(self, lease: Assignment) -> Any:
        """The student's guess, unless this answer is to be blind."""
        return [] if self._is_blind(lease) else lease.suggestion

    @extend_schema_field(LabelSetShape(allow_null=True))
    def get_label_set(self, lease: Assignment) -> dict[str, Any] | None:
        """The answer set, unless this answer is to be blind."""
        found: dict[str, Any] | None = None if self._is_blind(lease) else lease.label_set
        return found

    def get_shown(self, lease: Assignment) -> str:
        """Say "ba" where the second text is to be shown first, "ab" where the first is; of candidates
        their numbers as they are to be shown, such as "3 1 2"; else empty."""
        suggested = None if self._is_blind(lease) else lease.suggestion
        return siding.shown(self.context["project"], lease, suggested)

    def _is_blind(self, lease: Assignment) -> bool:
        return bool(self.context["project"].blind or lease.stream in labeling.BLIND)

    def get_reason(self, lease: Assignment) -> str:
        """Why this item; reasons name labels, so a blind project hears none."""
        if self.context["project"].blind and lease.stream == Stream.ACTIVE:
            return ""
        return lease.reason


class NextWish(serializers.Serializer[Any]):
    count = serializers.IntegerField(default=1, min_value=1, max_value=assigning.HELD_AT_MOST)


class NextShape(serializers.Serializer[Any]):
    """`leases` are new, `held` were leased before; both empty means that nothing is left."""

    leases = LeaseShape(many=True)
    held = LeaseShape(many=True)


class AnswerWish(serializers.Serializer[Any]):
    """Send the same `uuid` again after a lost response: the first answer comes back."""

    kind = serializers.ChoiceField(choices=list(NEEDS), default="answer")
    uuid = serializers.UUIDField(help_text="A random UUID made by the client, one per answer.")
    assignment = IdField(required=False, help_text="The lease that is answered or skipped.")
    annotation = serializers.UUIDField(
        required=False, help_text="The own answer that is taken back or changed."
    )
    labels = serializers.ListField(child=LabelField(), required=False, max_length=10_000)
    value = ObjectField(
        required=False,
        allow_null=True,
        help_text="The answer where it is more than labels, which are then left out. Spans: "
        '{"spans": [{"start": 0, "end": 5, "label": 7}]}, with label ids; offsets count code points. '
        "The spans of a form go beside the labels of its other questions, and so do its texts, by the key of "
        'the question: {"texts": {"why": "…"}}.',
    )
    question = LabelField(
        required=False,
        allow_null=True,
        help_text="The label that the lease asks about, when the answer is about it alone.",
    )
    seconds = serializers.FloatField(required=False, allow_null=True, min_value=0)
    comment = serializers.CharField(
        default="", allow_blank=True, max_length=labeling.LONGEST_COMMENT, trim_whitespace=False
    )
    reason = serializers.CharField(default="", allow_blank=True, max_length=200)
    next = serializers.IntegerField(
        default=0, min_value=0, max_value=assigning.HELD_AT_MOST, help_text="Lease this many more."
    )


class AnswerShape(serializers.Serializer[Any]):
    """`annotation` is what was stored (null after a retraction), `leases` are new ones."""

    annotation = AnnotationShape(allow_null=True)
    leases = LeaseShape(many=True)


class LeaseIds(serializers.Serializer[Any]):
    leases = serializers.ListField(child=IdField(), max_length=100)


class Alive(serializers.Serializer[Any]):
    alive = serializers.IntegerField()


class Released(serializers.Serializer[Any]):
    released = serializers.IntegerField()


def shown(project: Project, leases: list[Assignment]) -> list[Any]:
    """Leases as their holder may see them."""
    return list(LeaseShape(leases, many=True, context={"project": project}).data)


class Voiced(Endpoint):
    """An endpoint that speaks as the person's voice in a project."""

    def voice(self, project_id: int) -> tuple[Project, Annotator]:
        project = self.project(project_id, Can.LABEL)
        return project, assigning.voice_of(project, self.person)


class Next(Voiced):
    @extend_schema(
        request=NextWish, responses=NextShape, summary="Lease further items (three at most at once)"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project, voice = self.voice(project_id)
        held = assigning.held(voice)
        fresh = assigning.lease(project, voice, body(request, NextWish)["count"])
        return Response({"leases": shown(project, fresh), "held": shown(project, held)})


class Answers(Voiced):
    @extend_schema(
        request=AnswerWish,
        responses={201: AnswerShape},
        summary="Answer, skip, take back or change; `next` leases more in the same request",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project, voice = self.voice(project_id)
        wish = body(request, AnswerWish)
        given = {*wish, SAID} if wish.get("value") is not None else set(wish)
        missing = [name for name in NEEDS[wish["kind"]] if name not in given]
        if missing:
            raise InvalidError(f"To {wish['kind']}, send “{missing[0]}”.", field=missing[0])
        said, kept = _store(project, voice, wish)
        fresh = assigning.lease(project, voice, wish["next"]) if wish["next"] else []
        stored = AnnotationShape(said).data if said else None
        return Response({"annotation": stored, "leases": shown(project, kept + fresh)}, status=201)


def _store(
    project: Project, voice: Annotator, wish: dict[str, Any]
) -> tuple[Annotation | None, list[Assignment]]:
    """Do the one action that is asked for; a retraction gives the lease that lives again."""
    kind, uuid = wish["kind"], wish["uuid"]
    if kind == "retract":
        lease = revising.retract(project, voice, uuid=uuid, annotation_uuid=wish["annotation"])
        return None, [lease]
    if kind == "skip":
        said = labeling.skip(
            project,
            voice,
            uuid=uuid,
            assignment_id=wish["assignment"],
            reason=wish["reason"],
            seconds=wish.get("seconds"),
        )
        return said, []
    labels = label_ids(project, wish.get("labels", []))
    if kind == "revise":
        said = revising.revise(
            project,
            voice,
            uuid=uuid,
            annotation_uuid=wish["annotation"],
            labels=labels,
            value=wish.get("value"),
            comment=wish["comment"],
        )
        return said, []
    asked = wish.get("question")
    said = labeling.submit(
        project,
        voice,
        uuid=uuid,
        assignment_id=wish["assignment"],
        labels=labels,
        value=wish.get("value"),
        question=None if asked is None else label_ids(project, [asked])[0],
        seconds=wish.get("seconds"),
        comment=wish["comment"],
    )
    return said, []


class Leases(Voiced):
    @extend_schema(responses=LeaseShape(many=True), summary="The items that are with me now")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.LABEL)
        voice = Annotator.objects.filter(project=project, user=self.person).first()
        held = assigning.held(voice) if voice else []
        return Response({"results": shown(project, held)})


class LeasesRenew(Voiced):
    @extend_schema(
        request=LeaseIds, responses=Alive, summary="Keep leases alive, 15 minutes at most"
    )
    def post(self, request: Request, project_id: int) -> Response:
        _, voice = self.voice(project_id)
        return Response({"alive": assigning.renew(voice, body(request, LeaseIds)["leases"])})


class LeasesRelease(Voiced):
    @extend_schema(request=LeaseIds, responses=Released, summary="Give leases back unanswered")
    def post(self, request: Request, project_id: int) -> Response:
        _, voice = self.voice(project_id)
        return Response({"released": assigning.release(voice, body(request, LeaseIds)["leases"])})
