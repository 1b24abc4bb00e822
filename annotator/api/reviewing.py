"""Flags, and the items that wait for a reviewer's word."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.actions.desk import assigning, labeling
from annotator.actions.review import cases, corrections, flagging, reviewed, reviewing
from annotator.api.base import Endpoint, allowed
from annotator.api.items import AnnotationShape, ItemShape
from annotator.api.jobs import JobShape
from annotator.api.parsing import IdField, LabelField, ObjectField, body, label_ids, query
from annotator.errors import NotFoundError
from annotator.models import Can, Flag, FlagState, Item, Project


class OtherItem(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    name = serializers.CharField()


class EvidenceShape(serializers.Serializer[Any]):
    """What one detector says; 0 surely wrong … 1 surely right. `others`: items that it is about too."""

    detector = serializers.CharField()
    score = serializers.FloatField()
    words = serializers.CharField()
    others = OtherItem(many=True, default=list)


class FlagShape(serializers.ModelSerializer[Flag]):
    """A question to reviewers. `raised_by_id` is null where detectors or chance put it; which of the
    two, its score and how likely it was to be drawn are told once it is settled."""

    kind = serializers.SerializerMethodField()
    score = serializers.SerializerMethodField()
    probability = serializers.SerializerMethodField()
    evidence = EvidenceShape(many=True)

    class Meta:
        model = Flag
        fields = [
            *("id", "item_id", "raised_by_id", "reason", "state", "kind", "labels", "suggested"),
            *("evidence", "score", "probability", "outcome", "created_at", "settled_at"),
        ]

    def get_kind(self, flag: Flag) -> str | None:
        """person, definition, detector or random; null for an open one of a machine."""
        return flag.kind if _told(flag) or not flag.by_machine else None

    def get_score(self, flag: Flag) -> float | None:
        """0 surely wrong … 1 surely right."""
        return flag.score if _told(flag) else None

    def get_probability(self, flag: Flag) -> float | None:
        """How likely the item was to be drawn, where chance had a part."""
        return flag.probability if _told(flag) else None


def _told(flag: Flag) -> bool:
    return flag.state == FlagState.SETTLED


class FlagFilters(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=FlagState.choices, required=False)
    item = IdField(required=False)


class NewFlag(serializers.Serializer[Any]):
    item = IdField()
    reason = serializers.CharField(default="", allow_blank=True, max_length=500)


class Word(serializers.Serializer[Any]):
    """A reviewer's word, which decides the item; send the same `uuid` again after a lost response.

    Either `labels` (or `value`, where answers are more than labels), or `outcome`: keep what the item
    has (with `labels` or `value`: only if it is these), ambiguous with the reviewer's own word, bad for
    an item to which no label fits. `guess` is what the reviewer chose before seeing the others; `same`
    names near-identical items to settle alike.
    """

    uuid = serializers.UUIDField()
    item = IdField()
    labels = serializers.ListField(child=LabelField(), max_length=10_000, default=list)
    value = ObjectField(required=False, allow_null=True)
    outcome = serializers.ChoiceField(
        choices=[("keep", "keep"), ("ambiguous", "ambiguous"), ("bad", "bad")],
        default="",
        allow_blank=True,
    )
    guess = serializers.ListField(child=LabelField(), max_length=10_000, default=list)
    same = serializers.ListField(child=IdField(), max_length=100, default=list)
    comment = serializers.CharField(
        default="", allow_blank=True, max_length=labeling.LONGEST_COMMENT, trim_whitespace=False
    )


class ItemChoice(serializers.Serializer[Any]):
    item = IdField()


class Settled(serializers.Serializer[Any]):
    settled = serializers.IntegerField()


def item_of(endpoint: Endpoint, project: Project, item_id: int) -> Item:
    """An item of this very project, as far as the person may see it."""
    sees = allowed(project, Can.SEE)
    rows = Item.objects.for_user(endpoint.person, Can.SEE if sees else Can.OPEN)
    rows = rows.present().filter(project=project, pk=item_id)
    item = (rows if sees else rows.met_by(endpoint.person)).first()
    if item is None:
        raise NotFoundError("There is no such item in this project, or you have not met it.")
    return item


class Flags(Endpoint):
    @extend_schema(
        parameters=[FlagFilters], responses=FlagShape(many=True), summary="Questions to reviewers"
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        wish = query(request, FlagFilters)
        rows = Flag.objects.for_user(self.person).filter(project=project)
        names = {"state": "state", "item": "item_id"}
        rows = rows.filter(**{column: wish[name] for name, column in names.items() if name in wish})
        return self.page(rows, FlagShape)

    @extend_schema(request=NewFlag, responses={201: FlagShape}, summary="Put an item to a reviewer")
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.LABEL)
        wish = body(request, NewFlag)
        item = item_of(self, project, wish["item"])
        voice = assigning.voice_of(project, self.person)
        raised = labeling.flag(project, voice, item=item, reason=wish["reason"])
        return Response(FlagShape(raised).data, status=201)


class FlagsSettle(Endpoint):
    @extend_schema(
        request=ItemChoice, responses=Settled, summary="Close an item's flags; its label stands"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        item = item_of(self, project, body(request, ItemChoice)["item"])
        return Response({"settled": reviewing.settle_flags(item, self.person)})


class Review(Endpoint):
    @extend_schema(responses=ItemShape(many=True), summary="Items that wait for a reviewer")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        rows = cases.waiting(project).select_related("verdict")
        return self.page(rows, ItemShape, ordering="number")

    @extend_schema(
        request=Word, responses={201: AnnotationShape}, summary="Decide an item, and its flags"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        wish = body(request, Word)
        said = reviewing.settle(
            project,
            self.person,
            uuid=wish["uuid"],
            item=item_of(self, project, wish["item"]),
            labels=label_ids(project, wish["labels"]),
            value=wish.get("value"),
            outcome=wish["outcome"],
            comment=wish["comment"],
            guess=label_ids(project, wish["guess"]),
            same=wish["same"],
        )
        return Response(AnnotationShape(said).data, status=201)


class CaseWish(serializers.Serializer[Any]):
    """`after` is the `place` of the case to go on behind; `only` asked, or flags."""

    after = serializers.CharField(default="", allow_blank=True, max_length=40)
    only = serializers.ChoiceField(
        choices=[("asked", "asked"), ("flags", "flags")], default="", allow_blank=True
    )


class CaseShape(serializers.Serializer[Any]):
    """A leased case: ten minutes to decide, then others may have it."""

    item = ItemShape()
    flags = FlagShape(many=True)
    place = serializers.CharField()
    lease_seconds = serializers.IntegerField()


class ReviewNext(Endpoint):
    @extend_schema(
        request=CaseWish,
        responses={200: CaseShape, 204: None},
        summary="Lease the next case; 204 when none is left for this reviewer",
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        wish = body(request, CaseWish)
        after = cases.Place.read(wish["after"])
        found = cases.take_next(project, self.person, after=after, only=wish["only"])
        if found is None:
            return Response(status=204)
        item, place = found
        told = {
            "item": Item.objects.select_related("verdict").get(pk=item.pk),
            "flags": cases.open_flags(item),
            "place": str(place),
            "lease_seconds": cases.LEASE_SECONDS,
        }
        return Response(CaseShape(told).data)


class ReviewUnsure(Endpoint):
    @extend_schema(
        request=ItemChoice, responses={204: None}, summary="Leave an item to a second reviewer"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        item = item_of(self, project, body(request, ItemChoice)["item"])
        cases.be_unsure(project, item, self.person)
        return Response(status=204)


class TakenBack(serializers.Serializer[Any]):
    """`annotation` is the word to take back, `uuid` a fresh one of the caller's."""

    uuid = serializers.UUIDField()
    annotation = serializers.UUIDField()


class ReviewUndo(Endpoint):
    @extend_schema(
        request=TakenBack, responses={201: AnnotationShape}, summary="Take an own word back"
    )
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        wish = body(request, TakenBack)
        taken = reviewing.take_back(
            project, self.person, uuid=wish["uuid"], annotation_uuid=wish["annotation"]
        )
        return Response(AnnotationShape(taken).data, status=201)


class PrecisionShape(serializers.Serializer[Any]):
    """Of so many next flagged cases, the share that is expected to be wrong, 0…1."""

    cases = serializers.IntegerField()
    rate = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class ReviewFiguresShape(serializers.Serializer[Any]):
    """`remaining` is the share of all `labels` that is still wrong (0…1, 95 % interval), from `drawn`
    random cases; null below `needed` of them. Errors found say nothing about it."""

    waiting = serializers.IntegerField()
    settled = serializers.IntegerField()
    errors_found = serializers.IntegerField()
    bad_items = serializers.IntegerField()
    ambiguous = serializers.IntegerField()
    labels = serializers.IntegerField(allow_null=True)
    drawn = serializers.IntegerField()
    needed = serializers.IntegerField()
    remaining = serializers.FloatField(allow_null=True)
    remaining_low = serializers.FloatField(allow_null=True)
    remaining_high = serializers.FloatField(allow_null=True)
    more_to_halve = serializers.IntegerField(allow_null=True)
    precision_next = PrecisionShape(allow_null=True)
    looked_at = serializers.DateTimeField(allow_null=True)


class ReviewFigures(Endpoint):
    @extend_schema(responses=ReviewFiguresShape, summary="Errors found, and the share that is left")
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        return Response(ReviewFiguresShape(reviewed.figures(project).to_json()).data)


class FlagsLook(Endpoint):
    @extend_schema(request=None, responses={202: JobShape}, summary="Look for wrong labels now")
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        return Response(JobShape(flagging.look_now(project, self.person)).data, status=202)


class BoughtShape(serializers.Serializer[Any]):
    """Accuracy on the audit sample of two students from one seed: with and without corrections."""

    changed = serializers.IntegerField()
    trained_on = serializers.IntegerField()
    evaluated_on = serializers.IntegerField()
    without_corrections = serializers.FloatField(source="without")
    with_corrections = serializers.FloatField(source="with")
    difference = serializers.FloatField()
    difference_interval = serializers.ListField(child=serializers.FloatField())
    finished_at = serializers.DateTimeField()


class Corrections(Endpoint):
    @extend_schema(
        responses={200: BoughtShape, 204: None},
        summary="What the corrections bought; 204 before it was compared",
    )
    def get(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        bought = corrections.last(project)
        return Response(status=204) if bought is None else Response(BoughtShape(bought).data)

    @extend_schema(request=None, responses={202: JobShape}, summary="Compare them anew")
    def post(self, request: Request, project_id: int) -> Response:
        project = self.project(project_id, Can.REVIEW)
        return Response(JobShape(corrections.start(project, self.person)).data, status=202)
