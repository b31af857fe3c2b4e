"""The pages of asking. The HTTP interface is in `api.py`, the socket in `routing.py`."""

from django.urls import path

from answering import views

urlpatterns = [
    path("", views.ask, name="ask"),
    path("c/<uuid:pk>/", views.conversation, name="conversation"),
    path("c/<uuid:pk>/rename/", views.rename, name="rename_conversation"),
    path("c/<uuid:pk>/delete/", views.delete, name="delete_conversation"),
]
