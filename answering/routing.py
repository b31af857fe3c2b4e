from django.urls import path

from answering.consumers import AskConsumer

websocket_urlpatterns = [path("ws/ask/", AskConsumer.as_asgi())]
