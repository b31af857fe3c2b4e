from django.apps import AppConfig


class AnsweringConfig(AppConfig):
    name = "answering"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from answering import checks  # noqa: F401 - registers the checks, which need loaded apps
        from answering.caches.answer import on_publish
        from answering.retention import chore
        from retrieval import maintenance
        from retrieval.ingestion import indexing

        indexing.on_publish.append(on_publish)  # cached answers end with what they rest on
        maintenance.chores.append(chore)
