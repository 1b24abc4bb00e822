"""All settings, from the environment, in one file; docs/operations.md lists the variables."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from annotator import __version__
from annotator import environment as env
from annotator.runtime.postgres import socket_url

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.data_folder()
ROLE = env.text("CONCORD_ROLE", "command")  # web, worker, train, model or command
# Threads of a model that wait for each other sleep. OpenMP has them spin unless told before torch is loaded, which on
# a busy machine takes more than the work itself.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Where we are reached
HOST = env.text("HOST", "127.0.0.1")
PORT = env.number("PORT", 8000)
PUBLIC_URL = env.text("PUBLIC_URL").rstrip("/")
if PUBLIC_URL and urlsplit(PUBLIC_URL).scheme not in {"http", "https"}:
    raise ImproperlyConfigured(f"PUBLIC_URL={PUBLIC_URL} must start with http:// or https://.")
HTTPS = PUBLIC_URL.startswith("https://")
ALLOWED_HOSTS = env.hosts(HOST, urlsplit(PUBLIC_URL).hostname or "")
CSRF_TRUSTED_ORIGINS = [f"http://{host}:{PORT}" for host in ALLOWED_HOSTS if host != "::1"]
CSRF_TRUSTED_ORIGINS += [PUBLIC_URL] if PUBLIC_URL else []

# Security
DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.secret_key(DATA_DIR)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-session" if HTTPS else "concord_session"
CSRF_COOKIE_NAME = "__Host-csrf" if HTTPS else "concord_csrf"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_ENGINE = "annotator.runtime.sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
FILE_UPLOAD_PERMISSIONS = 0o600

INSTALLED_APPS = [
    "annotator",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "annotator.apps.StaticConfig",
    "django.contrib.postgres",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "knox",
    "drf_spectacular",
]

MIDDLEWARE = [
    "annotator.runtime.middleware.security_headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "annotator.runtime.middleware.DatabaseGoneMiddleware",
    "annotator.web.errors.RefusalMiddleware",
]

ROOT_URLCONF = "annotator.urls"
WSGI_APPLICATION = "annotator.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# Database: yours by DATABASE_URL, else the one that the supervisor runs in the data folder
DATABASE_URL = env.text("DATABASE_URL")
EMBEDDED_POSTGRES = not DATABASE_URL
STATEMENT_TIMEOUT_SECONDS = {"web": 5, "worker": 60}
_limits = (
    f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS.get(ROLE, 0) * 1000} "
    f"-c idle_in_transaction_session_timeout={60_000 if ROLE == 'web' else 0}"
)
_database: dict[str, Any] = env.database(DATABASE_URL or socket_url(DATA_DIR))
_database["CONN_MAX_AGE"] = None
_database["CONN_HEALTH_CHECKS"] = True
_database["OPTIONS"] = {
    "connect_timeout": 5,
    "application_name": f"concord-{ROLE}",
    **_database["OPTIONS"],
    "options": f"{_database['OPTIONS'].get('options', '')} {_limits}".strip(),
}
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# People
AUTH_USER_MODEL = "annotator.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "annotator.runtime.accounts.ClosedAdapter"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "10/m/ip,5/5m/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXIES", 0)
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Concord"
# An address is a name to sign in with: nothing is sent to it, so that nobody could ever verify one.
MFA_ALLOW_UNVERIFIED_EMAIL = True

# API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "annotator.api.authentication.TokenAuthentication",
        "annotator.api.authentication.PageSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["annotator.api.parsing.BoundedJson"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "annotator.api.parsing.AlwaysJson",
    "DEFAULT_THROTTLE_CLASSES": ["annotator.api.throttles.PerUser"],
    "EXCEPTION_HANDLER": "annotator.api.errors.handle",
    "DEFAULT_SCHEMA_CLASS": "annotator.api.schema.Operation",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {"TOKEN_TTL": timedelta(days=365), "TOKEN_LIMIT_PER_USER": None}
SPECTACULAR_SETTINGS = {
    "TITLE": "Concord",
    "DESCRIPTION": "People and machines label data together.",
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "ImportFormatEnum": "annotator.api.imports.FORMAT_CHOICES",
        "ExportFormatEnum": "annotator.api.snapshots.FORMAT_CHOICES",
        "TeacherRunKindEnum": "annotator.models.teacher.TeacherRunKind",
        "SimulationStateEnum": "annotator.models.simulation.SimulationState",
        "DeliveryStateEnum": "annotator.models.webhook.DeliveryState",
        "QuestionKindEnum": "annotator.actions.projects.form_questions.KINDS",
    },
}

# Jobs: the broker carries only job ids, so it may lose or double anything
BROKER_URL = env.text("BROKER_URL", "filesystem://localhost/")
BROKER_FOLDER = DATA_DIR / "broker"
CELERY_BROKER_URL = BROKER_URL
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "data_folder_in": str(BROKER_FOLDER / "messages"),
        "data_folder_out": str(BROKER_FOLDER / "messages"),
        "control_folder": str(BROKER_FOLDER / "control"),
        "polling_interval": 0.2,
    }
    if BROKER_URL.startswith("filesystem:")
    else {"socket_connect_timeout": 2, "socket_timeout": 10, "max_retries": 1}
    if BROKER_URL.startswith(("redis:", "rediss:"))
    else {"max_retries": 1, "interval_start": 0}
)
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "io"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_MAX_TASKS_PER_CHILD = 200
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 1_500_000  # kilobytes

# Files
STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = DATA_DIR / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "annotator.runtime.storage.StaticStorage"},
}

# Language and time
LANGUAGE_CODE = "en"
USE_I18N = False
USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "UTC")

LOG_LEVEL = env.text("LOG_LEVEL", "INFO").upper()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "annotator.runtime.logs.OneLine"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": LOG_LEVEL, "propagate": False},
        "django.request": {"level": "ERROR"},
        "celery": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
    },
}
