from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "qa_site"
