"""Registries: names without imports, parameters checked with sentences."""

from dataclasses import dataclass
from typing import Literal

import pytest

from learning.errors import ParameterError, UnknownPluginError
from learning.registry import Entry, Registry, help_of, idea_of, parameters_of


@dataclass(frozen=True, kw_only=True)
class Cake:
    """Bake."""

    layers: int = 2
    sugar: float = 0.5
    icing: Literal["lemon", "none"] = "none"
    name: str | None = None


CAKES = Registry(
    "cake", {"plain": Entry("Plain cake", f"{__name__}:Cake"), "gone": Entry("Gone", "no.such:X")}
)


def test_names_and_choices_import_nothing() -> None:
    assert list(CAKES) == ["plain", "gone"]
    assert CAKES.choices() == [("plain", "Plain cake"), ("gone", "Gone")]
    assert "gone" in CAKES
    assert "pie" not in CAKES
    assert len(CAKES) == 2


def test_an_unknown_name_is_a_key_error_with_a_sentence() -> None:
    with pytest.raises(UnknownPluginError) as refusal:
        CAKES["pie"]
    assert isinstance(refusal.value, KeyError)
    assert str(refusal.value) == "There is no cake named 'pie'; known are: plain, gone."
    assert CAKES.get("pie") is None


def test_creates_from_json() -> None:
    cake = CAKES.create("plain", {"layers": 3, "sugar": 1, "icing": "lemon", "name": "Ana's"})
    assert parameters_of(cake) == {"layers": 3, "sugar": 1, "icing": "lemon", "name": "Ana's"}


@pytest.mark.parametrize(
    "wrong", [{"layers": 1.5}, {"layers": True}, {"sugar": "much"}, {"icing": "mud"}, {"name": 3}]
)
def test_refuses_values_of_another_type(wrong: dict) -> None:
    with pytest.raises(ParameterError, match="cannot take"):
        CAKES.create("plain", wrong)


def test_parameters_of_a_class_is_a_mistake() -> None:
    with pytest.raises(TypeError):
        parameters_of(Cake)


def test_the_idea_is_the_first_sentence_without_its_source() -> None:
    class Pie:
        """Fill the crust
        with apples, sweet ones. Source: textbook.

        layers: one.
        """

    assert idea_of(Pie) == "Fill the crust with apples, sweet ones."
    assert idea_of(Cake) == "Bake."


def test_the_docstring_tells_of_each_parameter_also_where_two_share_a_line() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Pie:
        """Bake. Source: the kitchen.

        fruit: "apple" or a name: as sold; sugar: spoons, 1 to 5
            of them.
        crust: on top. lid: below it.
        """

        fruit: str = "apple"
        sugar: int = 2
        crust: bool = True
        heat: int = 180

    assert help_of(Pie) == {
        "fruit": '"apple" or a name: as sold',
        "sugar": "spoons, 1 to 5 of them",
        "crust": "on top. lid: below it",
    }
    assert help_of(Cake) == {}
