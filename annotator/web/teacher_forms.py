"""Forms of teachers: set-up, a run, what may be spent, an endpoint."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.http import QueryDict

from annotator.actions.teachers import endpoints, local_models, teacher_runs, teachers
from annotator.models import EndpointKey, Project, Teacher

SECRET = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
# What the form says of a plugin's parameters; the others are set over the API.
PARAMS = {
    "openai": ("model", "price_in", "price_out", "batch_size"),
    "local": ("model", "revision", "instructions", "template", "demonstrations"),
    "student": ("mapping",),
    "committee": ("quorum",),
}
# Fields of the teacher itself, beside its name.
PLAIN = {
    "openai": ("endpoint", "key", "cap_run", "concurrency", "requests_per_minute"),
    "student": ("source",),
    "committee": ("members", "cap_run"),
}


def plainly(value: Decimal) -> str:
    """An amount as people type it, without the zeros that the database keeps."""
    return f"{value.normalize():f}"


def amount(label: str, help_text: str, initial: float) -> forms.DecimalField:
    """A field for money."""
    return forms.DecimalField(
        label=label,
        min_value=0,
        max_digits=18,
        decimal_places=9,
        initial=initial,
        help_text=help_text,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )


class MappingField(forms.CharField):
    """Names that differ, one pair a line: what it is called there = what it is called here."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        """As lines."""
        if isinstance(value, dict):
            return "\n".join(f"{there} = {here}" for there, here in value.items())
        return value

    def to_python(self, value: Any) -> Any:
        """The pairs; a line without a sign between two names is refused."""
        pairs: dict[str, str] = {}
        for line in str(value or "").splitlines():
            there, sign, here = (part.strip() for part in line.rpartition("="))
            if line.strip() and not (sign and there and here):
                raise forms.ValidationError(f"“{line.strip()[:80]}” is not “there = here”.")
            if there:
                pairs[there] = here
        return pairs


class TeacherForm(forms.Form):
    """A new teacher, or the settings of one; its kind stays."""

    name = forms.CharField(label="Name", max_length=teachers.LONGEST_NAME)
    plugin = forms.CharField(widget=forms.HiddenInput)
    source: Any = forms.ModelChoiceField(
        label="Project",
        queryset=None,
        help_text="The student that is promoted there when a run begins answers here.",
    )
    mapping = MappingField(
        label="Labels that are called differently",
        required=False,
        help_text="One a line: the name there = the name here. All others are matched by name.",
    )
    members: Any = forms.ModelMultipleChoiceField(
        label="Members",
        queryset=None,
        widget=forms.CheckboxSelectMultiple,
        help_text="Each is asked, and read by how often it meant which label on audited items.",
    )
    quorum = forms.IntegerField(
        label="Members that must answer",
        min_value=1,
        max_value=teachers.MOST_MEMBERS,
        initial=2,
        help_text="With fewer the committee says nothing about an item.",
    )
    endpoint: Any = forms.ModelChoiceField(
        label="Endpoint",
        queryset=None,
        empty_label="Choose one",
        error_messages={"required": "Choose the endpoint that it is asked at."},
        help_text="Where its calls go: one of the addresses that an instance admin has listed.",
    )
    model = forms.CharField(
        label="Model",
        max_length=200,
        required=False,
        help_text="As the endpoint names it.",
        widget=forms.TextInput(attrs=SECRET),
    )
    revision = forms.CharField(
        label="Commit",
        max_length=40,
        required=False,
        help_text="Of a model on a hub, named owner/name: 40 hexadecimal digits.",
        widget=forms.TextInput(attrs=SECRET),
    )
    instructions = forms.CharField(
        label="Instructions",
        max_length=20_000,
        required=False,
        help_text="The first paragraph of a causal model's prompt; labels follow. Empty: the usual one.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    template = forms.CharField(
        label="Sentence with a gap",
        max_length=500,
        required=False,
        help_text="For a masked model: {text} is the item, {label} the gap. Empty: “{text} It is about {label}.”",
    )
    demonstrations = forms.IntegerField(
        label="Solved examples in a prompt", min_value=0, max_value=50, initial=0
    )
    key = forms.CharField(
        label="Key",
        max_length=4096,
        required=False,
        help_text="Sent to this endpoint only, kept sealed, never shown again. Empty: as it is.",
        widget=forms.PasswordInput(attrs=SECRET | {"autocomplete": "new-password"}),
    )
    price_in = amount("Price of a million tokens read", "In your currency. 0: it costs nothing.", 0)
    price_out = amount("Price of a million tokens written", "In the same currency.", 0)
    cap_run = amount("One run costs at most", "A run ends before it would cost more.", 1)
    batch_size = forms.IntegerField(
        label="Items in one prompt",
        min_value=1,
        max_value=100,
        initial=1,
        help_text="Above 1 is cheaper, but one item's text may sway the answers on its neighbours.",
    )
    concurrency = forms.IntegerField(
        label="Calls at once", min_value=1, max_value=teachers.MOST_CONCURRENT, initial=4
    )
    requests_per_minute = forms.IntegerField(
        label="Calls a minute", min_value=1, max_value=1_000_000, required=False
    )

    FIRST = (
        "name",
        "endpoint",
        "model",
        "revision",
        "key",
        "source",
        "members",
        "quorum",
        "mapping",
    )
    MONEY = ("price_in", "price_out", "cap_run")
    MORE = (
        "instructions",
        "template",
        "demonstrations",
        "batch_size",
        "concurrency",
        "requests_per_minute",
    )

    def __init__(
        self,
        data: QueryDict | None,
        *,
        project: Project,
        kind: str,
        sources: QuerySet[Project],
        teacher: Teacher | None = None,
    ) -> None:
        """Offer what this kind of teacher has, and what this project and this server have."""
        initial = (
            self.initial_of(teacher)
            if teacher
            else {"name": teachers.first_name(project, kind), "plugin": kind}
        )
        super().__init__(data, initial=initial)
        self.project, self.teacher, self.kind, self.sources = project, teacher, kind, sources
        kept = {"name", "plugin", *PARAMS.get(kind, ()), *PLAIN.get(kind, ())}
        for name in [name for name in self.fields if name not in kept]:
            del self.fields[name]
        if "model" in self.fields:
            self.fields["model"].required = True
        if kind == "local":
            known = ", ".join(local_models.names()) or "none so far"
            told = f"A folder in models/ of the server's data ({known}), or owner/name on a hub."
            self.fields["model"].help_text = told
        for name, offered in self._offered().items():
            if name in self.fields:
                choice: Any = self.fields[name]
                choice.queryset = offered

    def _offered(self) -> dict[str, Any]:
        """What may be chosen from."""
        others = Teacher.objects.filter(project=self.project).exclude(plugin="committee")
        return {
            "endpoint": endpoints.offered(),
            "members": others.select_related("voice").order_by("pk"),
            "source": self.sources,
        }

    @staticmethod
    def initial_of(teacher: Teacher) -> dict[str, Any]:
        """The settings as they are, but for the key."""
        params, plain = PARAMS.get(teacher.plugin, ()), PLAIN.get(teacher.plugin, ())
        kept = {name: getattr(teacher, name) for name in plain if name not in {"key", "members"}}
        if "cap_run" in kept:
            kept["cap_run"] = plainly(teacher.cap_run)
        if "members" in plain:
            kept["members"] = list(teacher.members.values_list("pk", flat=True))
        own = {"name": teacher.name, "plugin": teacher.plugin}
        return own | kept | {name: teacher.params.get(name) for name in params}

    def shown(self, names: tuple[str, ...]) -> list[forms.BoundField]:
        return [self[name] for name in names if name in self.fields]

    def first(self) -> list[forms.BoundField]:
        return self.shown(self.FIRST)

    def money(self) -> list[forms.BoundField]:
        return self.shown(self.MONEY)

    def more(self) -> list[forms.BoundField]:
        return self.shown(self.MORE)

    def more_is_wrong(self) -> bool:
        """Whether a refusal stands among the fields that are folded away."""
        return any(field.errors for field in self.more())

    def has_key(self) -> bool:
        """Whether the project has a key for this teacher's endpoint already."""
        known = EndpointKey.objects.filter(project=self.project)
        endpoint = self.teacher.endpoint_id if self.teacher else None
        return endpoint is not None and known.filter(endpoint=endpoint).exists()

    def settings(self) -> dict[str, Any]:
        """The choices as the action knows them."""
        data = self.cleaned_data
        found = {name: data[name] for name in ("name", *PLAIN.get(self.kind, ()))}
        if not found.get("key"):
            found.pop("key", None)
        if self.kind in PARAMS:
            found["params"] = {
                name: float(data[name]) if name.startswith("price_") else data[name]
                for name in PARAMS[self.kind]
            }
        if self.teacher is None:
            found["plugin"] = self.kind
        return found


class RunForm(forms.Form):
    """How many items a run asks about, and which."""

    items = forms.IntegerField(
        label="Items", min_value=1, max_value=teacher_runs.MOST_ITEMS, initial=50
    )
    pool = forms.ChoiceField(
        label="Which",
        choices=[
            (teacher_runs.OPEN, "open items, in the queue's order"),
            (teacher_runs.ANSWERED, "items that people answered, to compare"),
            (teacher_runs.AUDITED, "the random sample, for its scorecard"),
        ],
        initial=teacher_runs.OPEN,
    )


class CapsForm(forms.Form):
    """What all teachers of a project may spend."""

    cap_day = amount("A day, at most", "All teachers of this project together.", 5)
    cap_project = amount("In all, at most", "From the project's first call on.", 20)


class EndpointForm(forms.Form):
    """An address for the list."""

    name = forms.CharField(label="Name", max_length=endpoints.LONGEST_NAME)
    base_url = forms.CharField(
        label="Address",
        max_length=500,
        help_text="Such as https://host/v1, without a user name, a key or a question mark.",
        widget=forms.TextInput(attrs=SECRET | {"inputmode": "url", "list": "usual"}),
    )
    private = forms.BooleanField(
        label="The name leads into a private network",
        required=False,
        help_text="Then it may lead there only. Not needed for localhost or an IP address.",
    )
    requests_per_minute = forms.IntegerField(
        label="Calls a minute",
        min_value=1,
        max_value=endpoints.HIGHEST_RATE,
        required=False,
        help_text="Of all projects together. Empty: no limit but the teachers' own.",
    )
