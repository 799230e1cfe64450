"""Django settings, all from the environment; docs/operate.md lists the variables.

Nothing here raises for a missing value: config/checks.py says what is missing, with a hint.
"""

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import dj_database_url
from csp.constants import NONCE, NONE, SELF
from django.utils.translation import gettext_lazy as _

from config import env
from config.env import ROOT

PRODUCTION = env.text("PERENNIAL_ENV", "development") == "production"
DEBUG = env.flag("DEBUG", default=False)
STATE_FOLDER = env.state_folder()

# ── secrets and hosts ───────────────────────────────────────────────────────
SECRET_KEY = env.text("SECRET_KEY") or (
    "missing-and-refused-by-the-system-check" if PRODUCTION else env.generated_secret("secret_key")
)
# Keys of before: what they signed or sealed stays readable until everybody has the new one.
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "" if PRODUCTION else "*")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_PROXY", default=PRODUCTION) else None
SECURE_SSL_REDIRECT = env.flag("SSL_REDIRECT", default=PRODUCTION)
SECURE_HSTS_SECONDS = 31_536_000 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = PRODUCTION
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "tenants.pages.csrf_failure"
SESSION_COOKIE_AGE = 14 * 24 * 3600
X_FRAME_OPTIONS = "DENY"

# ── applications ────────────────────────────────────────────────────────────
INSTALLED_APPS = [
    "config.apps.ConfigConfig",
    "dashboards",
    "incentives",
    "risk",
    "followups",
    "health",
    "segmentation",
    "customers",
    "tenants",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "anymail",
    "csp",
]
MIDDLEWARE = [
    "tenants.problems.ApiMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "tenants.middleware.TenantMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tenants.context_processors.shell",
                "dashboards.places.shell",
            ],
            "builtins": ["tenants.templatetags.perennial"],
        },
    }
]
# The address is unique whatever its case, by a constraint on lower(email), which this check does not see.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FILTERS_EMPTY_CHOICE_LABEL = _("All")
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# ── database: the owner migrates, the app role works ────────────────────────


def _app_role_url(owner_url: str) -> str:
    """The URL of the role that web and workers use, when only the owner's is given.

    `migrate` makes that role. Its password is derived, so that every host that knows the secret key
    knows it too and nobody has to hand it out.
    """
    parts = urlsplit(owner_url)
    role = f"{parts.path.strip('/') or 'perennial'}_app"
    password = hmac.new(SECRET_KEY.encode(), b"perennial app role", hashlib.sha256).hexdigest()
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{password}@{host}"))


DATABASE_OWNER_URL = env.text("DATABASE_URL")
DATABASE_APP_URL = env.text("DATABASE_APP_URL") or (_app_role_url(DATABASE_OWNER_URL) if DATABASE_OWNER_URL else "")


# The app role's address leads to a transaction pooler (PgBouncer): docs/operate.md says how to set that up.
DATABASE_POOLED = env.flag("DATABASE_POOLED", default=False)


def _database(url: str, *, pooled: bool = False) -> dict[str, Any]:
    database: dict[str, Any] = dict(dj_database_url.parse(url)) if url else {"ENGINE": "django.db.backends.postgresql"}
    database |= {"CONN_MAX_AGE": int(env.text("DATABASE_CONN_MAX_AGE", "60")), "CONN_HEALTH_CHECKS": True}
    database["OPTIONS"] = database.get("OPTIONS", {}) | {
        "application_name": "perennial",
        "keepalives_idle": 30,
        "connect_timeout": 10,
    }
    if not pooled:
        # A vanished host must not keep its row locks: the server notices by itself. A pooler refuses settings that come
        # with the connection; it sets them itself.
        database["OPTIONS"]["options"] = "-c idle_in_transaction_session_timeout=600000 -c timezone=UTC"
    return database


DATABASES = {"default": _database(DATABASE_APP_URL or DATABASE_OWNER_URL, pooled=DATABASE_POOLED)}
if DATABASE_OWNER_URL:
    # In tests both point at the one test database, made and migrated by its owner.
    DATABASES["owner"] = _database(DATABASE_OWNER_URL)
    DATABASES["default"]["TEST"] = {"MIRROR": "owner"}
DATABASE_ROUTERS = ["tenants.database.OwnerMigrates"]

# ── Redis: cache, bell of the workers ───────────────────────────────────────
REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "perennial",
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
# A task may run twice and must not be lost: it is acknowledged when done, and its effect is guarded by rows.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = env.text("CELERY_QUEUE", "perennial")
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# ── signing in ──────────────────────────────────────────────────────────────
AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "tenants.accounts.AccountAdapter"
SOCIALACCOUNT_ADAPTER = "tenants.accounts.SocialAccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # members are invited by their administrator; nobody signs up alone
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_FORMS = {
    "login": "tenants.account_forms.LoginForm",
    "reset_password": "tenants.account_forms.ResetPasswordForm",
    "reset_password_from_key": "tenants.account_forms.ResetPasswordKeyForm",
    "change_password": "tenants.account_forms.ChangePasswordForm",
}
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_LOGOUT_ON_GET = False
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Perennial"
SOCIALACCOUNT_ONLY = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
# OIDC: set OIDC_ISSUER, OIDC_CLIENT_ID, OIDC_CLIENT_SECRET; the sign-in page then offers it.
SOCIALACCOUNT_PROVIDERS = (
    {
        "openid_connect": {
            "APPS": [
                {
                    "provider_id": "oidc",
                    "name": env.text("OIDC_NAME", "Single sign-on"),
                    "client_id": env.text("OIDC_CLIENT_ID"),
                    "secret": env.text("OIDC_CLIENT_SECRET"),
                    "settings": {"server_url": env.text("OIDC_ISSUER")},
                }
            ]
        }
    }
    if env.text("OIDC_ISSUER")
    else {}
)

# ── mail ────────────────────────────────────────────────────────────────────
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_PORT = int(env.text("EMAIL_PORT", "587"))
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=True)
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "perennial@localhost")
# Without a mail server a password reset is written where the operator finds it, never lost in silence.
EMAIL_BACKEND = env.text("EMAIL_BACKEND") or (
    "followups.messages.sending.smtp.EmailBackend" if EMAIL_HOST else "django.core.mail.backends.filebased.EmailBackend"
)
EMAIL_FILE_PATH = STATE_FOLDER / "mail"
# A provider instead of a mail server: EMAIL_BACKEND=anymail.backends.mailgun.EmailBackend and its keys as JSON.
ANYMAIL = json.loads(env.text("ANYMAIL") or "{}")
# Answers and bounces come to <reference>@ this domain; without it answers go to the firm's own address.
MAIL_REPLY_DOMAIN = env.text("MAIL_REPLY_DOMAIN")
# How long a worker may be silent about what it sends before another one asks what became of it.
OUTBOX_LEASE_S = env.number("OUTBOX_LEASE_S", 900)
# How long notices to members are kept.
NOTICE_DAYS = env.number("NOTICE_DAYS", 400)

# ── addresses ───────────────────────────────────────────────────────────────
# What links in mails and surveys begin with: the customer's browser must find us there.
PUBLIC_URL = (env.text("PUBLIC_URL") or f"http://localhost:{env.text('PORT') or 8000}").rstrip("/")
# Hosts and networks that are not public and that gateways of firms may lead to all the same.
OUTGOING_ALLOW = env.words("OUTGOING_ALLOW")

# ── languages, time, numbers ────────────────────────────────────────────────
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
LOCALE_PATHS = [ROOT / "locale"]
USE_I18N = USE_TZ = True
USE_THOUSAND_SEPARATOR = True
FORMAT_MODULE_PATH = ["config.formats"]
TIME_ZONE = "UTC"

# ── files ───────────────────────────────────────────────────────────────────
STATIC_URL = "/static/"
STATIC_ROOT = ROOT / "staticfiles"
STATICFILES_DIRS = [ROOT / "static"]
WHITENOISE_USE_FINDERS = not PRODUCTION
MEDIA_ROOT = STATE_FOLDER / "media"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if PRODUCTION
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]
FILE_UPLOAD_TEMP_DIR = None
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 2**20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5_000
IMPORT_MAX_BYTES = int(env.text("IMPORT_MAX_BYTES", str(4 * 2**30)))
IMPORT_WRITERS = max(1, int(env.text("IMPORT_WRITERS", "2")))

# ── what the browser may do ─────────────────────────────────────────────────
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ("/api/v1/docs",),
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    },
}
SECURE_REFERRER_POLICY = "same-origin"

# ── API ─────────────────────────────────────────────────────────────────────
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tenants.api.access.TokenAuthentication",
        "tenants.api.access.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.api.access.ScopePermission"],
    "DEFAULT_PAGINATION_CLASS": "tenants.api.lists.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["tenants.api.lists.StrictFilterBackend"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tenants.api.fields.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "tenants.api.schema.Schema",
    "EXCEPTION_HANDLER": "tenants.problems.exception_handler",
    "COERCE_DECIMAL_TO_STRING": True,
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Perennial API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "DESCRIPTION": "Customers, orders and contacts in; tiers, health and follow-ups out. docs/integrate.md explains.",
    "SERVE_INCLUDE_SCHEMA": False,
    "DEFAULT_GENERATOR_CLASS": "tenants.api.schema.Generator",
    "ENUM_NAME_OVERRIDES": {
        "Channel": "customers.models.Channel",
        "TouchKind": "customers.models.TouchKind",
        "EvidenceKind": "customers.models.Evidence.Kind",
        "SurveyKind": "customers.models.SurveyResponse.Kind",
        "OrderKind": "customers.models.Order.Kind",
        "OrderStatus": "customers.models.Order.Status",
        "FollowUpStatus": "followups.models.FollowUp.Status",
        "MessageStatus": "followups.models.Message.Status",
        "MessagePurpose": "followups.models.Message.Purpose",
        "BackTestStatus": "health.models.BackTest.Status",
        "Tier": "segmentation.models.Tier",
        "Pack": "tenants.rules.sections.PACKS",
        "YesNo": "tenants.rules.sections.YES_NO",
        "PolicyTouchKind": "followups.rules.policy.KINDS",
        "Band": "health.models.Band",
        "Role": "tenants.permissions.Role",
        "ComplaintKind": "customers.models.Complaint.Kind",
        "AlertLevel": "risk.models.Alert.Level",
        "AlertSignal": "risk.models.Alert.Signal",
        "LossCause": "risk.cases.lists.CAUSE_CHOICES",
        "WhatWasTried": "risk.cases.lists.TRIED_CHOICES",
        "WinBackResult": "risk.models.WinBackTry.Result",
        "IncidentLevel": "risk.models.Incident.Level",
        "IncidentKind": "risk.models.Incident.Kind",
        "IncidentOutcome": "risk.models.Incident.Outcome",
        "IncidentClockKind": "risk.models.IncidentClock.Kind",
        "IncidentStepStatus": "risk.models.IncidentStep.Status",
        "SurveyReason": "followups.models.Reason",
        "SurveyCause": "followups.models.Survey.Cause",
        "SurveyState": "followups.surveys.lists.STATES",
        "QualityProblem": "followups.models.Problem",
        "ReferralOrigin": "customers.models.Referral.Origin",
        "ReferralResult": "incentives.referrals.reading.RESULTS",
        "RewardKind": "incentives.models.Reward.Kind",
        "RewardStatus": "incentives.models.Reward.Status",
        "MedalKind": "incentives.models.Medal.Kind",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
}

# ── lists ───────────────────────────────────────────────────────────────────
DJANGO_TABLES2_TEMPLATE = "components/table.html"

# ── logs ────────────────────────────────────────────────────────────────────
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "WARNING")},
    "loggers": {"perennial": {"level": env.text("LOG_LEVEL", "INFO")}},
}
