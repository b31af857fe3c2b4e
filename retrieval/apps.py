from django.apps import AppConfig
from django.db.models.signals import post_migrate


class RetrievalConfig(AppConfig):
    name = "retrieval"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Django's app loading forces this import: models exist only now.
        from retrieval.permissions import ensure_librarians

        post_migrate.connect(ensure_librarians, sender=self, dispatch_uid="retrieval.librarians")
