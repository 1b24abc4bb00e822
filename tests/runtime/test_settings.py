"""Settings come from the environment and from nowhere else."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from annotator import environment
from annotator.runtime import services
from annotator.runtime.postgres import socket_url

ASKED = (
    "import json; from annotator import settings as s; print(json.dumps({name: getattr(s, name) "
    "for name in ('ALLOWED_HOSTS', 'CSRF_TRUSTED_ORIGINS', 'DEBUG', 'SESSION_COOKIE_SECURE', "
    "'CSRF_COOKIE_SECURE', 'SESSION_COOKIE_NAME', 'SECURE_HSTS_SECONDS', 'BROKER_URL', "
    "'EMBEDDED_POSTGRES', 'DATABASES', 'SECRET_KEY')}))"
)


def settings_with(data_dir, **variables):
    """Return the settings that a fresh process reads under these variables."""
    done = subprocess.run(
        [sys.executable, "-c", ASKED],
        cwd=services.CODE,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(data_dir), **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


class TestSettings:
    def test_bare_they_are_safe_and_local(self, tmp_path):
        found = settings_with(tmp_path)
        assert found["DEBUG"] is False
        assert found["ALLOWED_HOSTS"] == ["127.0.0.1", "localhost", "::1", "[::1]"]
        assert found["EMBEDDED_POSTGRES"] is True
        assert found["DATABASES"]["default"]["HOST"] == str(tmp_path / "postgres" / "socket")
        assert found["BROKER_URL"].startswith("filesystem:")
        assert found["SESSION_COOKIE_SECURE"] is False

    @pytest.mark.parametrize(
        ("given", "found"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")]
    )
    def test_threads_of_a_model_sleep_while_they_wait_unless_told_otherwise(
        self, tmp_path, given, found
    ):
        asked = "import annotator.settings, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", asked],
            cwd=services.CODE,
            env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), **given},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [found, "False"], "torch reads it when it is loaded"

    def test_a_public_https_address_turns_on_secure_cookies(self, tmp_path):
        found = settings_with(tmp_path, PUBLIC_URL="https://label.example.org/")
        assert found["SESSION_COOKIE_SECURE"] is True
        assert found["CSRF_COOKIE_SECURE"] is True
        assert found["SESSION_COOKIE_NAME"].startswith("__Host-")
        assert found["SECURE_HSTS_SECONDS"] > 0
        assert "label.example.org" in found["ALLOWED_HOSTS"]
        assert "https://label.example.org" in found["CSRF_TRUSTED_ORIGINS"]

    def test_another_host_is_allowed_and_trusted(self, tmp_path):
        found = settings_with(tmp_path, HOST="10.1.2.3", PORT="8080")
        assert "10.1.2.3" in found["ALLOWED_HOSTS"]
        assert "http://10.1.2.3:8080" in found["CSRF_TRUSTED_ORIGINS"]

    def test_every_address_means_the_machines_own_and_never_a_star(self, tmp_path):
        assert "*" not in settings_with(tmp_path, HOST="0.0.0.0")["ALLOWED_HOSTS"]

    @pytest.mark.parametrize(("role", "limit"), [("web", 5000), ("worker", 60000), ("command", 0)])
    def test_each_role_has_its_statement_timeout(self, tmp_path, role, limit):
        found = settings_with(tmp_path, CONCORD_ROLE=role)
        assert f"statement_timeout={limit} " in found["DATABASES"]["default"]["OPTIONS"]["options"]

    def test_the_key_is_made_once_for_us_alone(self, tmp_path):
        first = settings_with(tmp_path)["SECRET_KEY"]
        assert settings_with(tmp_path)["SECRET_KEY"] == first
        assert len(first) >= 48
        assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600

    def test_a_given_key_leaves_no_file(self, tmp_path):
        assert settings_with(tmp_path, SECRET_KEY="k" * 40)["SECRET_KEY"] == "k" * 40
        assert not (tmp_path / "secret_key").exists()


class TestEnvironment:
    def test_a_secret_may_lie_in_a_file(self, tmp_path, monkeypatch):
        (tmp_path / "secret").write_text("from a file\n")
        monkeypatch.setenv("THING_FILE", str(tmp_path / "secret"))
        assert environment.text("THING") == "from a file"
        monkeypatch.setenv("THING", "direct")
        assert environment.text("THING") == "direct"

    def test_a_missing_secret_file_is_named(self, monkeypatch):
        monkeypatch.setenv("THING_FILE", "/nowhere/secret")
        with pytest.raises(ImproperlyConfigured, match="THING_FILE=/nowhere/secret"):
            environment.text("THING")

    @pytest.mark.parametrize(
        ("value", "means"), [("1", True), ("yes", True), ("off", False), ("", False)]
    )
    def test_flags(self, monkeypatch, value, means):
        monkeypatch.setenv("THING", value)
        assert environment.flag("THING", default=not means) is means

    def test_a_flag_that_is_neither(self, monkeypatch):
        monkeypatch.setenv("THING", "perhaps")
        with pytest.raises(ImproperlyConfigured, match="neither yes nor no"):
            environment.flag("THING", default=True)

    def test_a_cut_key_is_refused(self, tmp_path):
        (tmp_path / "secret_key").write_text("short")
        with pytest.raises(ImproperlyConfigured, match="cut short"):
            environment.secret_key(tmp_path)

    def test_database_urls(self):
        found = environment.database("postgres://me:p%40ss@db.example.org:6543/x?sslmode=require")
        assert (found["USER"], found["PASSWORD"]) == ("me", "p@ss")
        assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example.org", "6543", "x")
        assert found["OPTIONS"] == {"sslmode": "require"}

    def test_the_embedded_servers_url_names_its_socket(self):
        folder = Path("/data/with space & sign")
        found = environment.database(socket_url(folder))
        assert found["HOST"] == str(folder / "postgres" / "socket")

    def test_another_database_is_refused(self):
        with pytest.raises(ImproperlyConfigured, match="must start with postgres://"):
            environment.database("mysql://me@there/x")
