"""The one settings file. What may differ between two machines comes from the environment, through `env`;
docs/configuration.md has the table. Nothing is read from a file but the generated secret key."""

import sys
from pathlib import Path

from answering.budgets import Budgets
from qa_site import env, places

BASE_DIR = Path(__file__).resolve().parent.parent

# ---- where things are
DATA_DIR = places.data_dir()
DATABASE_URL = env.postgres("DATABASE_URL", places.bundled_database_url(DATA_DIR))
REDIS_URL = env.redis("REDIS_URL", places.bundled_redis_url(DATA_DIR))
LEXICAL_DIR = DATA_DIR / "lexical"

# ---- security
DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.text("SECRET_KEY") or places.secret_key(DATA_DIR)
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
HTTPS_ONLY = env.flag("HTTPS_ONLY", False)
CSRF_TRUSTED_ORIGINS = env.origins(ALLOWED_HOSTS) if HTTPS_ONLY else []
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS_ONLY else None
SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$", "^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS_ONLY
SESSION_COOKIE_NAME = "citefirst_session"
CSRF_COOKIE_NAME = "citefirst_csrf"
CSRF_FAILURE_VIEW = "qa_site.refusals.forged"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "manifest-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = LOGIN_URL
METRICS_ALLOW = env.networks("METRICS_ALLOW")

# ---- Django
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_prometheus",
    "retrieval",
    "answering",
    "qa_site",
]
MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "qa_site.api_errors.api_errors",  # around all that may refuse a request
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "qa_site.health.ByAnyName",  # Django's CommonMiddleware
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "ninja.compatibility.files.fix_request_files_middleware",  # Django reads the files of POST alone
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]
ROOT_URLCONF = "qa_site.urls"
ASGI_APPLICATION = "qa_site.asgi.application"
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
    },
]
DATABASES = {"default": env.database("DATABASE_URL", DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SESSION_ENGINE = "django.contrib.sessions.backends.db"  # an outage of Redis must not log people out
LANGUAGE_CODE = "en"
TIME_ZONE = env.time_zone("TIME_ZONE", "UTC")
USE_TZ = True
STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # served from where they lie: no build step, and no STATIC_ROOT
WHITENOISE_MAX_AGE = 0 if DEBUG else 60
OCR_LANGUAGES = env.matching("OCR_LANGUAGES", r"[A-Za-z_]+(\+[A-Za-z_]+)*", "languages such as eng+deu")
MAX_DOCUMENT_MB = env.integer("MAX_DOCUMENT_MB", 50, low=1, high=2000)
FILE_UPLOAD_HANDLERS = ["qa_site.uploads.ToDisk"]  # never to memory
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024  # bodies other than files
DATA_UPLOAD_MAX_NUMBER_FILES = 200  # each is an open file until the request has ended

# ---- Redis: the channel layer and Celery
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        # The layer waits 5 s for a message, which is as long as redis-py would wait for any reply: give it more.
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": 15}],
            "prefix": "citefirst:channels",
            "expiry": 30,
        },
    }
}
CELERY_BROKER_URL = places.celery_broker_url(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_keepalive": True,
    "socket_timeout": 5,  # of what is said at once; the wait for a task is none of these
    "socket_connect_timeout": 5,
}
CELERY_TASK_DEFAULT_QUEUE = "citefirst"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 2.0
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "retrieval.tasks.sweep", "schedule": 15.0},
    "sweep files": {"task": "retrieval.tasks.sweep_files", "schedule": 3600.0},
    "complete vectors": {"task": "retrieval.tasks.complete_vectors", "schedule": 300.0},
    "forget questions": {"task": "answering.tasks.forget_questions", "schedule": 3600.0},
    "clear sessions": {"task": "qa_site.tasks.clear_sessions", "schedule": 3600.0},
    "tidy vectors": {"task": "retrieval.tasks.tidy_vectors", "schedule": 900.0},
}
CELERY_BEAT_SCHEDULER = "qa_site.scheduling:Scheduler"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "run" / "beat-schedule")

# ---- the models
OPENAI_API_KEY = env.key("OPENAI_API_KEY")
OPENAI_BASE_URL = env.url("OPENAI_BASE_URL", "", ("http", "https"))
HAS_MODEL = bool(OPENAI_API_KEY or OPENAI_BASE_URL)
ANSWER_MODEL = env.text("ANSWER_MODEL", "gpt-4.1-mini" if HAS_MODEL else "")
if ANSWER_MODEL and not HAS_MODEL:
    raise env.BadSetting("ANSWER_MODEL", ANSWER_MODEL, "used together with OPENAI_API_KEY or OPENAI_BASE_URL")
FAST_MODEL = env.text("FAST_MODEL", ANSWER_MODEL)
FALLBACK_BASE_URL = env.url("FALLBACK_BASE_URL", "", ("http", "https"))
FALLBACK_API_KEY = env.key("FALLBACK_API_KEY")
FALLBACK_MODEL = env.text("FALLBACK_MODEL", ANSWER_MODEL)
HAS_FALLBACK = bool(FALLBACK_BASE_URL or FALLBACK_API_KEY)
if FAST_MODEL and not (HAS_MODEL or HAS_FALLBACK):
    raise env.BadSetting("FAST_MODEL", FAST_MODEL, "used together with OPENAI_API_KEY or OPENAI_BASE_URL")
if env.text("FALLBACK_MODEL") and not HAS_FALLBACK:  # one of a single server protects from nothing
    raise env.BadSetting(
        "FALLBACK_MODEL", FALLBACK_MODEL, "used together with FALLBACK_BASE_URL or FALLBACK_API_KEY"
    )
if HAS_FALLBACK and not FALLBACK_MODEL:
    raise env.BadSetting(
        "FALLBACK_MODEL", "", "the name of a model, since FALLBACK_BASE_URL or FALLBACK_API_KEY is set"
    )
EMBEDDING_BASE_URL = env.url("EMBEDDING_BASE_URL", "", ("http", "https"))
EMBEDDING_API_KEY = env.key("EMBEDDING_API_KEY")
HAS_REMOTE_EMBEDDER = bool(EMBEDDING_BASE_URL or EMBEDDING_API_KEY)
EMBEDDING_MODEL = env.text("EMBEDDING_MODEL", "text-embedding-3-small" if HAS_REMOTE_EMBEDDER else "")
if EMBEDDING_MODEL and not HAS_REMOTE_EMBEDDER:
    raise env.BadSetting(
        "EMBEDDING_MODEL", EMBEDDING_MODEL, "used together with EMBEDDING_API_KEY or EMBEDDING_BASE_URL"
    )
EMBEDDING_DIMENSIONS = env.integer(
    "EMBEDDING_DIMENSIONS", 1536 if HAS_REMOTE_EMBEDDER else 384, low=8, high=4000
)
if EMBEDDING_DIMENSIONS != 384 and not HAS_REMOTE_EMBEDDER:
    raise env.BadSetting(
        "EMBEDDING_DIMENSIONS", str(EMBEDDING_DIMENSIONS), "384, the size of the bundled model's vectors"
    )
RERANK_BASE_URL = env.url("RERANK_BASE_URL", "", ("http", "https"))
RERANK_API_KEY = env.key("RERANK_API_KEY")
RERANK_MODEL = env.text("RERANK_MODEL")
if (RERANK_API_KEY or RERANK_MODEL) and not RERANK_BASE_URL:
    raise env.BadSetting(
        "RERANK_BASE_URL", "", "the address of a reranker, since RERANK_API_KEY or RERANK_MODEL is set"
    )
LEXICAL_ENGINE = env.choice("LEXICAL_ENGINE", "tantivy", ("tantivy", "rank_bm25"))

# ---- time and load
BUDGETS_MS = {
    stage: env.integer(f"BUDGET_{stage.upper()}_MS", round(1000 * default), low=1, high=600_000)
    for stage, default in Budgets.defaults().items()
}
OTEL_EXPORTER_OTLP_ENDPOINT = env.url("OTEL_EXPORTER_OTLP_ENDPOINT", "", ("http", "https"))
# Unset: 0.5 where a formula alone decides, 0.1 where a model reads the passages.
EVIDENCE_THRESHOLD = env.number("EVIDENCE_THRESHOLD", 0.0, low=0.01, high=0.99)

HEDGE_DELAY_MIN_MS = env.integer("HEDGE_DELAY_MIN_MS", 150, low=150, high=10_000)
HEDGE_DELAY_MAX_MS = env.integer("HEDGE_DELAY_MAX_MS", 1500, low=150, high=60_000)
if HEDGE_DELAY_MAX_MS < HEDGE_DELAY_MIN_MS:
    raise env.BadSetting(
        "HEDGE_DELAY_MAX_MS", str(HEDGE_DELAY_MAX_MS), f"at least HEDGE_DELAY_MIN_MS={HEDGE_DELAY_MIN_MS}"
    )
QUOTA_PER_MINUTE = env.integer("QUOTA_PER_MINUTE", 600, low=0, high=1_000_000)  # 0: no limit
KEEP_QUESTIONS_DAYS = env.integer("KEEP_QUESTIONS_DAYS", 0, low=0, high=36_500)  # 0: for good
LOGIN_TRIES = env.integer("LOGIN_TRIES", 10, low=0, high=10_000)  # 0: no limit
WEB = env.integer("WEB", 1, low=1, high=64)

# ---- logs: lines for people on a terminal, else one JSON object a line
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"))
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "qa_site.logs.JsonFormatter"},
        "plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
    },
    "filters": {
        "departed": {"()": "qa_site.logs.Departed"},
        "seldom": {"()": "qa_site.logs.Seldom", "a_minute": 1_000_000 if LOG_LEVEL == "DEBUG" else 20},
        "routine": {
            "()": "qa_site.logs.Routine",
            "tasks": [] if LOG_LEVEL == "DEBUG" else [job["task"] for job in CELERY_BEAT_SCHEDULE.values()],
        },
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "plain" if sys.stderr.isatty() else "json",
            "filters": ["routine", "departed", "seldom"],
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        **{name: {"level": LOG_LEVEL} for name in ("answering", "retrieval", "qa_site", "celery")},
        "celery.beat": {
            "level": "WARNING" if LOG_LEVEL == "INFO" else LOG_LEVEL
        },  # it tells of each task it sends
        "django": {"level": "WARNING", "handlers": [], "propagate": True},
        "django.server": {"level": "WARNING", "handlers": [], "propagate": True},
    },
}
