"""Forms of teachers: set-up, a run, what may be spent, an endpoint."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms

from annotator.actions import endpoints, teacher_runs, teachers
from annotator.models import EndpointKey, Project, Teacher

SECRET = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
# What the form says of a plugin's parameters; the others are set over the API.
PARAMS = ("model", "price_in", "price_out", "batch_size", "instructions")
PLAIN = ("name", "endpoint", "key", "cap_run", "concurrency", "requests_per_minute")


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


class TeacherForm(forms.Form):
    """A new teacher, or the settings of one; its kind stays."""

    name = forms.CharField(label="Name", max_length=teachers.LONGEST_NAME)
    plugin = forms.ChoiceField(label="Kind", choices=())
    endpoint: Any = forms.ModelChoiceField(
        label="Endpoint",
        queryset=None,
        required=False,
        empty_label="None: this kind needs none",
        help_text="Where its calls go: one of the addresses that an instance admin has listed.",
    )
    model = forms.CharField(
        label="Model",
        max_length=200,
        required=False,
        help_text="As the endpoint names it.",
        widget=forms.TextInput(attrs=SECRET),
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
    instructions = forms.CharField(
        label="Instructions",
        max_length=20_000,
        required=False,
        help_text="The first paragraph of the prompt; labels and guidelines follow. Empty: the usual one.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    FIRST = ("name", "plugin", "endpoint", "model", "key")
    MONEY = ("price_in", "price_out", "cap_run")
    MORE = ("batch_size", "concurrency", "requests_per_minute", "instructions")

    def __init__(
        self, *args: Any, project: Project, teacher: Teacher | None = None, **kwargs: Any
    ) -> None:
        """Offer what this project and this server have."""
        if teacher is not None:
            kwargs["initial"] = self.initial_of(teacher)
        super().__init__(*args, **kwargs)
        self.project, self.teacher = project, teacher
        fields: Any = self.fields
        fields["endpoint"].queryset = endpoints.offered()
        fields["plugin"].choices = teachers.offered(project)
        if teacher is not None:
            del fields["plugin"]
            self._keep_to(teacher)

    def _keep_to(self, teacher: Teacher) -> None:
        """Only what this kind of teacher has."""
        if teacher.plugin not in teachers.CALLING:
            for name in (*PARAMS, "endpoint", "key", "concurrency", "requests_per_minute"):
                del self.fields[name]

    @staticmethod
    def initial_of(teacher: Teacher) -> dict[str, Any]:
        """The settings as they are, but for the key."""
        kept = {name: getattr(teacher, name) for name in PLAIN if name != "key"}
        kept["cap_run"] = plainly(teacher.cap_run)
        return kept | {name: teacher.params.get(name) for name in PARAMS}

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
        plugin = self.teacher.plugin if self.teacher else data["plugin"]
        calls = plugin in teachers.CALLING
        found: dict[str, Any] = {
            name: data[name]
            for name in PLAIN
            if name in data and (calls or name in {"name", "cap_run"})
        }
        if not found.get("key"):
            found.pop("key", None)
        if calls:
            prices = {name: float(data[name]) for name in ("price_in", "price_out")}
            found["params"] = {name: data[name] for name in PARAMS if name in data} | prices
        if self.teacher is None:
            found["plugin"] = plugin
        return found


class RunForm(forms.Form):
    """How many items a run asks about, and which."""

    items = forms.IntegerField(
        label="Items", min_value=1, max_value=teacher_runs.MOST_ITEMS, initial=50
    )
    pool = forms.ChoiceField(
        label="Of",
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
