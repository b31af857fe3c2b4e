"""The Celery application: `celery -A qa_site worker`, `celery -A qa_site beat`."""

import os
import signal
import warnings

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import setup_logging, worker_process_init
from django.conf import settings
from django.utils.log import configure_logging

from qa_site.processes import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qa_site.settings")

# It warns root of pickled tasks; ours are JSON, and no others are taken.
warnings.filterwarnings("ignore", category=SecurityWarning)

# Pool processes are forked from the process that imports this.
WORKER = os.getpid()

app = Celery("citefirst")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect  # type: ignore[untyped-decorator]
def keep_our_logging(**_: object) -> None:
    """Celery leaves logging alone when something listens here."""
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def follow_the_worker(**_: object) -> None:
    """A pool process must not outlive a worker that was killed: it would hold its task for ever."""
    die_with_parent(signal.SIGKILL)
    if os.getpid() != WORKER != os.getppid():  # killed while this one was forked, before the wish was known
        os.kill(os.getpid(), signal.SIGKILL)
