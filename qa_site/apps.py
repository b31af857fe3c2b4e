from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_save


class SiteConfig(AppConfig):
    name = "qa_site"

    def ready(self) -> None:
        # Models can be imported only now that the apps are loaded, and tasks sent only through our Celery.
        from qa_site import celery  # noqa: F401
        from qa_site.everyone import join_everyone
        from qa_site.tasks import chore
        from retrieval import maintenance

        maintenance.chores.append(chore)
        post_save.connect(join_everyone, sender=settings.AUTH_USER_MODEL, dispatch_uid="join_everyone")
