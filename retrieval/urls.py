"""The pages of the library. The HTTP interface is in `api.py`, the socket in `routing.py`."""

from django.urls import path

from retrieval import downloads, several, views

urlpatterns = [
    path("library/", views.library, name="library"),
    path("library/states/", views.states, name="library_states"),
    path("library/upload/", views.upload, name="library_upload"),
    path("library/collections/", views.new_collection, name="library_new_collection"),
    path("library/selected/", several.selected, name="library_selected"),
    path("library/<uuid:pk>/retry/", views.retry, name="document_retry"),
    path("library/<uuid:pk>/replace/", views.replace, name="document_replace"),
    path("library/<uuid:pk>/move/", views.move, name="document_move"),
    path("library/<uuid:pk>/delete/", views.delete, name="document_delete"),
    path("d/<uuid:pk>/", views.document, name="document"),
    path("d/<uuid:pk>/file", downloads.download, name="document_file"),
    path("d/<uuid:pk>/pdf", downloads.pdf, name="document_pdf"),
]
