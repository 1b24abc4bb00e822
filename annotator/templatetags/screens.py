"""Small readings that the filter forms need."""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal

from django import template

from annotator.models import Item
from annotator.templatetags.concord import visible

register = template.Library()


@register.filter
def field(row: object, name: str) -> object:
    """A field of a row by its name, where the name is itself a value of the template."""
    return getattr(row, name)


@register.filter
def signed(number: float) -> str:
    """A number with its sign and one digit behind the point."""
    return f"{number:+.1f}".replace("-", "\u2212")


@register.filter
def same(one: object, other: object) -> bool:
    """Whether two values read the same in an address: 3 and "3" do, nothing and "" do not."""
    return one is not None and str(one) == str(other)


@register.filter
def item_name(item: Item) -> str:
    """What an item is called: its own id where the file had one, else its number."""
    return visible(f"#{item.external_id or item.number}")


@register.filter
def entry(counts: dict[Hashable, int], name: Hashable) -> int:
    """What a table of counts says under a name or a number; 0 where it says nothing."""
    return counts.get(name, 0)


@register.filter
def money(amount: Decimal | float | None) -> str:
    """An amount in the currency of the prices; small ones with the digits that tell them apart."""
    if amount is None:
        return "–"
    value = float(amount)
    if value == 0:
        return "0"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.2g}" if value >= 1e-4 else "< 0.0001"
