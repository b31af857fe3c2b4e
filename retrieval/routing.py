from django.urls import path

from retrieval.consumers import LibraryConsumer

websocket_urlpatterns = [path("ws/library/", LibraryConsumer.as_asgi())]
