"""Between which numbers a parameter lies: said with the parameter, read by forms and refusals alike."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_type_hints

from learning.errors import ParameterError


@dataclass(frozen=True)
class Within:
    """From `least` to `most`; without these ends where `above` or `below` is set. No number that is none."""

    least: float
    most: float
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        low = value > self.least if self.above else value >= self.least
        return bool(low and (value < self.most if self.below else value <= self.most))

    def __str__(self) -> str:
        if self.above or self.below:
            low = f"{'above' if self.above else 'at least'} {self.least:,}"
            return f"{low} and {'below' if self.below else 'at most'} {self.most:,}"
        return f"from {self.least:,} to {self.most:,}"


Count = Annotated[int, Within(1, 1_000_000)]
Epochs = Annotated[int, Within(1, 100)]
Batch = Annotated[int, Within(1, 1_024)]
Tokens = Annotated[int, Within(1, 8_192)]
Size = Annotated[int, Within(1, 1_024)]
Rate = Annotated[float, Within(0, 1, above=True)]
Share = Annotated[float, Within(0, 1, below=True)]
Penalty = Annotated[float, Within(0, 1)]
Weight = Annotated[float, Within(0, 1_000_000, above=True)]
Scale = Annotated[float, Within(0, 1_000_000)]


def bounds_of(plugin: type) -> dict[str, Within]:
    """By the name of the parameter, for those that were declared with bounds."""
    hints = get_type_hints(plugin, include_extras=True)
    names = [each.name for each in fields(plugin) if each.init]
    found = {name: _within(hints[name]) for name in names}
    return {name: within for name, within in found.items() if within is not None}


def outside(plugin: type, values: Mapping[str, Any]) -> dict[str, str]:
    """By the name of each parameter whose value is not within its bounds, a sentence that says so."""
    return {
        name: f"{name} must be {within}, not {values[name]:,}."
        for name, within in bounds_of(plugin).items()
        if values.get(name) is not None and not within.holds(values[name])
    }


def refuse_outside(plugin: Any) -> None:
    """Raise ParameterError, which names the parameter, where a value is not within its bounds."""
    for name, sentence in outside(type(plugin), vars(plugin)).items():
        raise ParameterError(sentence, parameter=name)


def _within(hint: Any) -> Within | None:
    """Of `Annotated[…]` itself, or of what stands beside None."""
    for each in (hint, *getattr(hint, "__args__", ())):
        for said in getattr(each, "__metadata__", ()):
            if isinstance(said, Within):
                return said
    return None
