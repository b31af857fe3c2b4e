from django.urls import path

from answering.consumers import AskConsumer, UnknownConsumer

websocket_urlpatterns = [path("ws/ask/", AskConsumer.as_asgi())]
of_unknown = [path("ws/ask/", UnknownConsumer.as_asgi())]
"""Whose user cannot be told just now."""
