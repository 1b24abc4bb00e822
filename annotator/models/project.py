"""A project and its label schema."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from annotator.models.people import ROLES, Can, Membership, Role, User, id_of

if TYPE_CHECKING:
    from annotator.models.people import Viewer
    from learning.tasks import Question, Task


def task_type_choices() -> list[tuple[str, str]]:
    from learning.tasks import TASKS

    return TASKS.choices()


def encoder_choices() -> list[tuple[str, str]]:
    from learning.encoders import ENCODERS

    return ENCODERS.choices()


def strategy_choices() -> list[tuple[str, str]]:
    from learning.selection import STRATEGIES

    return STRATEGIES.choices()


def consensus_choices() -> list[tuple[str, str]]:
    from learning.consensus import CONSENSUS

    return CONSENSUS.choices()


def conformal_choices() -> list[tuple[str, str]]:
    from learning.audit.conformal import CONFORMAL

    return CONFORMAL.choices()


class ItemKind(models.TextChoices):
    TEXT = "text", "Text"
    PAIR = "pair", "Two texts"
    LIST = "list", "Candidates to be ranked"
    IMAGE = "image", "Image"


class Shape(StrEnum):
    """What answers can be made of, as far as more than their widgets and formats differ by it."""

    LABELS = "labels"
    SPANS = "spans"
    RANKING = "ranking"
    BOXES = "boxes"
    TEXT = "text"


class ProjectQuerySet(models.QuerySet["Project"]):
    def active(self) -> Self:
        return self.filter(archived_at=None)

    def for_user(self, user: Viewer, can: Can = Can.OPEN) -> Self:
        """Projects in which this person has a role that allows `can`; archived ones never."""
        return self.active().filter(
            memberships__user_id=id_of(user), memberships__role__in=ROLES[can]
        )

    def with_role(self, user: Viewer) -> Self:
        role = Membership.objects.filter(project=models.OuterRef("pk"), user_id=id_of(user))
        return self.annotate(role=models.Subquery(role.values("role")[:1]))


class Project(models.Model):
    """One labelling task: type, schema, guidelines, items, people, and how its loop runs."""

    name = models.CharField(max_length=200)
    description = models.CharField(max_length=500, blank=True)
    task_type = models.CharField(max_length=32, choices=task_type_choices, default="single")
    item_kind = models.CharField(max_length=16, choices=ItemKind, default=ItemKind.TEXT)
    guidelines = models.TextField(blank=True)

    overlap = models.PositiveSmallIntegerField(default=1)
    blind = models.BooleanField(default=False)
    digit_answers = models.BooleanField(default=True)
    audit_share = models.FloatField(default=0.1)
    # How many items of the secret order are kept for the audit stream; 0 lets the pool decide.
    audit_size = models.PositiveIntegerField(default=0)
    audit_cutoff = models.FloatField(default=0.0)

    encoder = models.CharField(max_length=32, choices=encoder_choices, default="minilm")
    encoder_params = models.JSONField(default=dict, blank=True)
    strategy = models.CharField(max_length=32, choices=strategy_choices, default="mixed")
    # Whether people may be asked about one label of an item ("is it a refund?"), where the strategy
    # finds that the others are sure.
    label_questions = models.BooleanField(default=False)
    consensus = models.CharField(max_length=32, choices=consensus_choices, default="dawid-skene")
    # Whether the labels that hold with a stated coverage are marked for people, and by which method;
    # without one the task type's first is taken.
    answer_sets = models.BooleanField(default=True)
    set_coverage = models.FloatField(default=0.9)
    set_method = models.CharField(max_length=32, choices=conformal_choices, default="", blank=True)
    # Another person is asked while the likeliest label's share of belief stays below this (0: never),
    # until so many have answered.
    sure_at = models.FloatField(default=0.0)
    voices_at_most = models.PositiveSmallIntegerField(default=3)
    # How much of all wanted answers one person may give; 1 is no limit.
    share_at_most = models.FloatField(default=1.0)
    # Of the items a person is given, how many are gold: known answers, mixed in unseen.
    gold_share = models.FloatField(default=0.0)
    # A new annotator answers so many gold items with feedback first, and is let in with such a share
    # of them right, else by a manager.
    entry_items = models.PositiveSmallIntegerField(default=0)
    entry_pass = models.FloatField(default=0.8)
    retrain_answers = models.PositiveIntegerField(default=10)
    retrain_seconds = models.PositiveIntegerField(default=2)
    training_paused = models.BooleanField(default=False)
    # Whether the head learns also what a teacher or another student says of items that nobody answered,
    # while that one is measured to be better.
    soft_rows = models.BooleanField(default=True, db_default=True)
    # Whether its head gives several labels from the probability of the best F1 on, not from a half on.
    best_f1 = models.BooleanField(default=False, db_default=False)
    # Whether rare labels count more when its head learns.
    balanced = models.BooleanField(default=False, db_default=False)
    # What students beside the head may take a day in the background; 0 trains none.
    training_minutes = models.PositiveIntegerField(default=30, db_default=30)

    # Numbers given out so far, those of undone imports included: the rows of every matrix.
    item_count = models.PositiveIntegerField(default=0)
    removed_count = models.PositiveIntegerField(default=0)
    current_student = models.ForeignKey(
        "StudentVersion", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # Set by a person who rolled back or promoted by hand: newer students no longer take over.
    student_pinned = models.BooleanField(default=False)
    # The highest number of a student that was given out: a deleted one's is not given again.
    student_number = models.PositiveIntegerField(default=0, db_default=0)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(overlap__gte=1), name="overlap_at_least_one"),
            models.CheckConstraint(
                condition=models.Q(audit_share__gte=0, audit_share__lte=1),
                name="audit_share_is_a_share",
            ),
            models.CheckConstraint(
                condition=models.Q(set_coverage__gte=0.5, set_coverage__lte=0.99),
                name="set_coverage_is_a_promise",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def multi_label(self) -> bool:
        from learning.tasks import TASKS

        return TASKS[self.task_type].multi_label

    @property
    def heads_draw_by_f1(self) -> bool:
        """Whether heads draw the line of each label by best F1: only where items may have several."""
        return self.best_f1 and self.multi_label

    @property
    def task(self) -> Task:
        """What is asked about answers instead of which task type they are of.

        Where they answer several questions it knows these, as they are now.
        """
        from learning.tasks import TASKS

        task = TASKS[self.task_type]()
        if task.has_questions and self.pk:
            return task.asking(FormQuestion.of(self))
        return task

    @property
    def has_questions(self) -> bool:
        """Whether an answer is a form; told without reading its questions."""
        from learning.tasks import TASKS

        return TASKS[self.task_type].has_questions

    @property
    def asks_labels(self) -> bool:
        """Whether an answer may be given label by label: "is it a refund?"."""
        return self.multi_label and self.shape == Shape.LABELS and not self.has_questions

    @property
    def strategies(self) -> tuple[str, ...]:
        """Those that fit the answers and the items: pictures have no length."""
        from learning.selection import MEASURED

        left_out = MEASURED if self.item_kind == ItemKind.IMAGE else frozenset[str]()
        return tuple(name for name in self.task.strategies if name not in left_out)

    @property
    def shape(self) -> str:
        """What an answer is made of, which decides the widget that gives it and who can read it."""
        from learning.tasks import TASKS

        return TASKS[self.task_type].shape

    @property
    def has_sets(self) -> bool:
        """Whether sets of labels are promised: wanted, and known for answers of this kind."""
        from learning.tasks import TASKS

        return self.answer_sets and bool(TASKS[self.task_type].conformal)

    @property
    def present_count(self) -> int:
        """Items that are here to be labelled and searched."""
        return self.item_count - self.removed_count

    def role_of(self, user: Viewer) -> Role | None:
        role = self.memberships.filter(user_id=id_of(user)).values_list("role", flat=True).first()
        return Role(role) if role else None

    def live_labels(self) -> models.QuerySet[Label]:
        return self.labels.filter(archived_at=None).order_by("position", "id")


class FormQuestionQuerySet(models.QuerySet["FormQuestion"]):
    def for_user(self, user: Viewer, can: Can = Can.OPEN) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class FormQuestion(models.Model):
    """One question of a project whose answers are forms. Its labels are answers to it alone."""

    LONGEST_NAME = 80
    WRITTEN = "text"

    project = models.ForeignKey(Project, models.CASCADE, related_name="form_questions")
    # What it is called in files; it never changes.
    key = models.CharField(max_length=100)
    name = models.CharField(max_length=LONGEST_NAME)
    # The task type of an answer to it, one of those that are labels, spans of the text, or a text.
    kind = models.CharField(max_length=32, default="single")
    # Of a text: whether it may be left empty, and whether it begins with the item's second one.
    optional = models.BooleanField(default=False, db_default=False)
    edits = models.BooleanField(default=False, db_default=False)
    position = models.PositiveIntegerField(default=0)
    # Labels of one earlier question: asked only where one of them was given. Empty: always.
    only_if = ArrayField(models.BigIntegerField(), default=list)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FormQuestionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="one_form_question_per_key")
        ]
        ordering = ("position", "id")

    def __str__(self) -> str:
        return self.name

    @property
    def writes(self) -> bool:
        """Whether its answer is a text."""
        return self.kind == self.WRITTEN

    @property
    def brings_answers(self) -> bool:
        """Whether its labels are those of its kind, and no others."""
        from learning.tasks import TASKS

        return bool(TASKS[self.kind].begins_with)

    @classmethod
    def of(cls, project: Project) -> list[Question]:
        """The questions of a project in their order, as its task asks them."""
        from learning.tasks import Question

        labels: dict[int | None, list[Label]] = {}
        answering = Label.objects.filter(project=project).exclude(form_question=None)
        for label in answering.order_by("position", "id"):
            labels.setdefault(label.form_question_id, []).append(label)
        return [
            Question(
                key=one.key,
                name=one.name,
                kind=one.kind,
                labels=tuple(label.pk for label in labels.get(one.pk, ())),
                columns=tuple(label.column for label in labels.get(one.pk, ())),
                live=frozenset(
                    label.pk for label in labels.get(one.pk, ()) if label.archived_at is None
                ),
                after=tuple(one.only_if),
                optional=one.optional,
                edits=one.edits,
            )
            for one in cls.objects.filter(project=project)
        ]


class LabelQuerySet(models.QuerySet["Label"]):
    def for_user(self, user: Viewer, can: Can = Can.OPEN) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def live(self) -> Self:
        return self.filter(archived_at=None)


class Label(models.Model):
    """An entry of the schema. `column` is its place in every target array and is never reused.

    In a tree `name` is the path from the top, as in “Entity > Animal”.
    """

    BELOW = " > "
    LONGEST_NAME = 200

    project = models.ForeignKey(Project, models.CASCADE, related_name="labels")
    column = models.PositiveIntegerField()
    key = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    # Words of the project's own texts that a person accepted: they say what the name does not.
    words = ArrayField(models.CharField(max_length=80), default=list)
    hotkey = models.CharField(max_length=1, blank=True)
    colour = models.PositiveSmallIntegerField(default=0)
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="children"
    )
    # The question of a form that it answers; `name` is then a path too, as in “Urgency > high”.
    form_question = models.ForeignKey(
        "FormQuestion", models.CASCADE, null=True, blank=True, related_name="labels"
    )
    position = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = LabelQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "column"], name="one_label_per_column"),
            models.UniqueConstraint(fields=["project", "key"], name="one_label_per_key"),
        ]
        indexes = [models.Index(fields=["project", "position", "id"], name="label_place")]

    def __str__(self) -> str:
        return self.name

    @property
    def keeps_place(self) -> bool:
        """Whether it cannot be moved among the others: a grade, an answer about two texts, part of a tree."""
        task = self._answers
        return task.ordered or task.sided or task.nested

    @property
    def _answers(self) -> type[Task]:
        """The task type of the answers that it is one of: the project's or its question's."""
        from learning.tasks import TASKS

        asked = self.form_question
        return TASKS[self.project.task_type if asked is None else asked.kind]

    @property
    def begun_as(self) -> str:
        """The key under which its task type brought it, "" for one that people made up."""
        own = {key for _, key, _ in self._answers.begins_with}
        key = re.sub(r"-\d+$", "", self.key)
        return key if key in own else ""

    @property
    def branch(self) -> str:
        """The path above the label's own part; empty where the name is no path."""
        if self.form_question_id:
            return self.name.partition(self.BELOW)[0]
        return self.name.rpartition(self.BELOW)[0] if self.parent_id else ""

    @property
    def part(self) -> str:
        """The name without the branch."""
        return self.name[len(self.branch) :].removeprefix(self.BELOW)
