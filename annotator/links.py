"""Addresses as people outside reach us."""

from django.conf import settings


def public(path: str) -> str:
    """The address of a page: below PUBLIC_URL, or on this machine."""
    base = settings.PUBLIC_URL or f"http://{settings.HOST}:{settings.PORT}"
    return f"{base}{path}"
