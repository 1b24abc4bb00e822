"""Reads the process environment: one typed function per kind of value, errors as sentences."""

import os
import secrets
import socket
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import psutil
from django.core.exceptions import ImproperlyConfigured

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 (recognised here, bound only where HOST says so)
YES = {"1", "true", "yes", "on"}
NO = {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """Read NAME, or the file that NAME_FILE points to (the way of secrets)."""
    if name in os.environ:
        return os.environ[name]
    path = os.environ.get(f"{name}_FILE")
    if path is None:
        return default
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE={path} cannot be read: {error}.") from error


def flag(name: str, *, default: bool) -> bool:
    """Read NAME as yes or no."""
    value = text(name, "1" if default else "0").strip().lower()
    if value not in YES | NO:
        raise ImproperlyConfigured(f"{name}={value} is neither yes nor no; use 1 or 0.")
    return value in YES


def number(name: str, default: int) -> int:
    """Read NAME as a whole number."""
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}={value} is not a whole number.") from error


def names(name: str) -> list[str]:
    """Read NAME as a list separated by commas."""
    return [part.strip() for part in text(name).split(",") if part.strip()]


def data_folder() -> Path:
    """Return the absolute DATA_DIR, which need not exist yet."""
    folder = Path(text("DATA_DIR") or Path(__file__).resolve().parent.parent / "var")
    return folder.expanduser().absolute()


def secret_key(folder: Path) -> str:
    """Return SECRET_KEY, or the one in the data folder, made at the first start for us alone."""
    given = text("SECRET_KEY")
    if given:
        return given
    path = folder / "secret_key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return _existing_key(path)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data folder {folder} cannot be written ({error.strerror}). "
            "Give it to this user, or set DATA_DIR to a folder of your own."
        ) from error
    key = secrets.token_urlsafe(48)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(key)
    return key


def _existing_key(path: Path) -> str:
    try:
        key = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The key {path} cannot be read ({error.strerror}). The data folder belongs to another "
            "user: start as that user, or set DATA_DIR to a folder of your own."
        ) from error
    if len(key) < 32:
        raise ImproperlyConfigured(f"The key {path} is empty or cut short; delete it and restart.")
    return key


def database(url: str) -> dict[str, Any]:
    """Turn postgres://user:password@host:port/name?option=value into Django's settings."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(
            f"DATABASE_URL must start with postgres://, not {parts.scheme or 'nothing'}://."
        )
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }


def hosts(host: str, public_host: str) -> list[str]:
    """List the names this server answers to: loopback, its own addresses, and the public name."""
    allowed = [*LOOPBACK_HOSTS, "[::1]", *names("ALLOWED_HOSTS")]
    if host in EVERY_ADDRESS:
        addresses = [entry for card in psutil.net_if_addrs().values() for entry in card]
        allowed += [socket.gethostname(), socket.getfqdn()]
        allowed += [a.address for a in addresses if a.family == socket.AF_INET]
        allowed += [
            f"[{a.address.split('%')[0]}]" for a in addresses if a.family == socket.AF_INET6
        ]
    elif host not in LOOPBACK_HOSTS:
        allowed.append(f"[{host}]" if ":" in host else host)
    return list(dict.fromkeys([*allowed, *([public_host] if public_host else [])]))
