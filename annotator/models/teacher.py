"""Endpoints that may be called, teachers behind them, what they said, and what that cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Func
from django.db.models.functions import Coalesce, Now, NullIf

from annotator.models.annotation import Annotation, Annotator
from annotator.models.item import Item
from annotator.models.people import Can, User
from annotator.models.project import Project
from annotator.models.recording import Recording

if TYPE_CHECKING:
    from annotator.models.people import Viewer


def teacher_choices() -> list[tuple[str, str]]:
    from learning.teachers import TEACHERS

    return TEACHERS.choices()


def money_field(**options: Any) -> models.DecimalField[Any, Any]:
    """An amount in the currency of the prices: a token may cost a ten-millionth."""
    return models.DecimalField(max_digits=18, decimal_places=9, **options)


class Endpoint(models.Model):
    """A row of the instance's list: where calls may go. Only instance admins write here."""

    name = models.CharField(max_length=100, unique=True)
    # Never changed: a key was entered for this address, and a prompt is sent to no other.
    base_url = models.CharField(max_length=500, unique=True)
    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField()
    # The name leads into a private network and nowhere else.
    private = models.BooleanField(default=False)
    enabled = models.BooleanField(default=True)
    # How many requests a minute all projects together may send; none is no limit of ours. Until when
    # that is used up, by which the calls of all workers keep the pace.
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    used_until = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class EndpointKey(models.Model):
    """A project's key for an endpoint, sealed; it goes to the host and port it was entered for."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="endpoint_keys")
    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="keys")
    host = models.CharField(max_length=253)
    port = models.PositiveIntegerField()
    sealed = models.BinaryField()
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "endpoint"], name="one_key_per_project_and_endpoint"
            )
        ]

    def __str__(self) -> str:
        return f"key for {self.host}:{self.port}"


class TeacherQuerySet(models.QuerySet["Teacher"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))


class Teacher(models.Model):
    """A machine annotator of a project; what it says, it says as its voice."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="teachers")
    voice = models.OneToOneField(Annotator, models.CASCADE, related_name="teacher")
    plugin = models.CharField(max_length=32, choices=teacher_choices)
    # Parameters of the plugin, its prices among them.
    params = models.JSONField(default=dict)
    endpoint = models.ForeignKey(Endpoint, models.SET_NULL, null=True, related_name="teachers")
    # The file that its answers come from.
    recording = models.ForeignKey(Recording, models.SET_NULL, null=True, related_name="teachers")
    # The project whose promoted student answers.
    source = models.ForeignKey(Project, models.SET_NULL, null=True, related_name="+")
    # The teachers that a committee asks.
    members = models.ManyToManyField("self", symmetrical=False, related_name="committees")
    # The most that one run may cost.
    cap_run = money_field(default=Decimal(1))
    # Calls at once, and how many a minute; none is no limit of ours.
    concurrency = models.PositiveSmallIntegerField(default=4)
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    used_until = models.DateTimeField(null=True)
    # Switched off, it asks nothing, and what it asks now ends within seconds.
    enabled = models.BooleanField(default=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = TeacherQuerySet.as_manager()

    def __str__(self) -> str:
        return self.voice.name

    @property
    def name(self) -> str:
        return self.voice.name


class TeacherPrompt(models.Model):
    """One version of what a language model is told; what a run was told is found by it."""

    teacher = models.ForeignKey(Teacher, models.CASCADE, related_name="prompts")
    version = models.PositiveIntegerField()
    # The parameters that make the prompt, as `prompting.SETTINGS` names them.
    settings = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["teacher", "version"], name="one_prompt_per_teacher_and_version"
            )
        ]

    def __str__(self) -> str:
        return f"prompt {self.version}"


class Purse(models.Model):
    """What all teachers of a project may spend, and did; its row is the lock that parts two calls."""

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="purse")
    cap_day = money_field(default=Decimal(5))
    cap_project = money_field(default=Decimal(20))
    spent = money_field(default=Decimal(0))
    held = money_field(default=Decimal(0))
    # The day that the two below are of; another day begins at 0.
    day = models.DateField(null=True)
    day_spent = money_field(default=Decimal(0))
    day_held = money_field(default=Decimal(0))

    def __str__(self) -> str:
        return f"purse of project {self.project_id}"


class TeacherRunKind(models.TextChoices):
    LABEL = "label", "Labels items"
    TRY = "try", "Tries it out"
    QUALIFY = "qualify", "Finds out whether it may label"
    REPLAY = "replay", "Looks whether it still answers as it did"


class TeacherRunState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


RUN_NAMES = {
    TeacherRunKind.LABEL: "Run",
    TeacherRunKind.TRY: "Trial",
    TeacherRunKind.QUALIFY: "Test",
    TeacherRunKind.REPLAY: "Replay",
}
LIVE_RUNS = (TeacherRunState.WAITING, TeacherRunState.RUNNING)


class TeacherRunQuerySet(models.QuerySet["TeacherRun"]):
    def for_user(self, user: Viewer, can: Can = Can.SEE) -> Self:
        return self.filter(project__in=Project.objects.for_user(user, can))

    def live(self) -> Self:
        return self.filter(state__in=LIVE_RUNS)

    def listed(self) -> Self:
        """Without the items' numbers, which may be many and no list shows."""
        return self.defer("numbers")


class TeacherRun(models.Model):
    """One list of items put to a teacher. Only runs that label write annotations."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="teacher_runs")
    teacher = models.ForeignKey(Teacher, models.CASCADE, related_name="runs")
    # The one job that works on it now, or worked on it last.
    job = models.ForeignKey("Job", models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=16, choices=TeacherRunKind, default=TeacherRunKind.LABEL)
    state = models.CharField(
        max_length=16, choices=TeacherRunState, default=TeacherRunState.WAITING
    )
    # Item numbers, in the order in which they are asked.
    numbers = ArrayField(models.PositiveIntegerField(), default=list)
    # How many answers it is about, where items are asked about more than once.
    reads = models.PositiveIntegerField(default=0)
    # How many answers are wanted, for lists of runs that do not load the numbers.
    wanted = models.GeneratedField(
        expression=Coalesce(NullIf(F("reads"), 0), Func(F("numbers"), function="cardinality")),
        output_field=models.PositiveIntegerField(),
        db_persist=True,
    )
    # The teacher's parameters when it began, and what it was thought to cost.
    params = models.JSONField(default=dict)
    # What else decided its answers then: the student's version, the members' parameters.
    basis = models.JSONField(default=dict)
    estimate = models.JSONField(default=dict)
    # What was measured on the way, such as the recall of the labels that its prompts offer.
    facts = models.JSONField(default=dict)
    cap = money_field(default=Decimal(0))
    spent = money_field(default=Decimal(0))
    held = money_field(default=Decimal(0))
    answered = models.PositiveIntegerField(default=0)
    abstained = models.PositiveIntegerField(default=0)
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_out = models.PositiveBigIntegerField(default=0)
    # Why it ended early, or what kept it from answering.
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects = TeacherRunQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["teacher"],
                name="one_live_run_per_teacher",
                condition=models.Q(state__in=LIVE_RUNS),
            )
        ]
        indexes = [models.Index(fields=["project", "-id"], name="teacher_run_latest")]

    def __str__(self) -> str:
        return f"run {self.pk}"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_RUNS

    @property
    def is_test(self) -> bool:
        """About gold items: no word of it is kept as an answer."""
        return self.kind in (TeacherRunKind.QUALIFY, TeacherRunKind.REPLAY)

    @property
    def kind_name(self) -> str:
        """What such a run is called on a page."""
        return RUN_NAMES[TeacherRunKind(self.kind)]

    @property
    def asked(self) -> int:
        return self.answered + self.abstained


class TeacherAnswer(models.Model):
    """What a teacher said in a run about one item, with its price; or why it said nothing."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+", db_index=False)
    run = models.ForeignKey(TeacherRun, models.CASCADE, related_name="answers", db_index=False)
    item = models.ForeignKey(Item, models.CASCADE, related_name="+")
    # The word in the ledger; none for abstentions and trials.
    annotation = models.OneToOneField(
        Annotation, models.SET_NULL, null=True, related_name="teacher_answer", db_constraint=False
    )
    labels = ArrayField(models.BigIntegerField(), default=list)
    # {label id: probability} of the labels that are not next to impossible.
    probabilities = models.JSONField(default=dict)
    # {"spans": [{"start", "end", "label", "probability"}, …]} where answers mark spans; {"order": [[2],
    # [1, 3]], "steady": how far two sequences of the candidates agreed, or null} where they are orders;
    # {"text": …, "apart": how far all teachers' latest texts on the item then lay apart, or null} where they
    # are texts;
    # {"labels": [[id, probability], …]} where they are forms, beside the spans of one that marks.
    value = models.JSONField(null=True)
    # Quotes that were not found in the item's text.
    dropped = models.PositiveIntegerField(default=0, db_default=0)
    # The lower one of what the teacher said of its confidence and what its probabilities say.
    confidence = models.FloatField(null=True)
    # How likely it is right, as audited answers show; null while too few are audited.
    p_right = models.FloatField(null=True)
    abstained = models.CharField(max_length=300, blank=True)
    model = models.CharField(max_length=200, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    flags = ArrayField(models.CharField(max_length=32), default=list)
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    money = money_field(default=Decimal(0))
    seconds = models.FloatField(default=0.0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "item"], name="one_answer_per_run_and_item")
        ]
        indexes = [models.Index(fields=["project", "-id"], name="teacher_answer_latest")]

    def __str__(self) -> str:
        return f"answer on item {self.item_id} in run {self.run_id}"


class SpendingState(models.TextChoices):
    HELD = "held", "Held back"
    SETTLED = "settled", "Settled"


class Spending(models.Model):
    """Money for one call: held back at its worst before it, settled at its cost after it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="spendings")
    run = models.ForeignKey(TeacherRun, models.CASCADE, related_name="spendings")
    # The attempt of the run's job: what a killed one left held back is known by it.
    job = models.PositiveBigIntegerField()
    attempt = models.PositiveSmallIntegerField(default=0)
    day = models.DateField()
    state = models.CharField(max_length=16, choices=SpendingState, default=SpendingState.HELD)
    amount = money_field()
    spent = money_field(default=Decimal(0))
    created_at = models.DateTimeField(db_default=Now())
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["run"], name="spending_held", condition=models.Q(state="held"))
        ]

    def __str__(self) -> str:
        return f"{self.state} {self.amount}"


class TeacherCache(models.Model):
    """An answer that was given before, or who is asking for it now."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=64)
    # Null while somebody is asking, until `asking_until` at the latest.
    answer = models.JSONField(null=True)
    asking_until = models.DateTimeField(null=True)
    # The run that asks; what its next attempt finds claimed, a dead one claimed.
    run = models.PositiveBigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "key"], name="one_kept_answer_per_key")
        ]

    def __str__(self) -> str:
        return self.key
