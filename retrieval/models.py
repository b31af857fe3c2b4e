"""Collections, documents and chunks. Postgres holds the truth; the lexical index is a copy of it.

Vectors live beside these in `retrieval_embedding`, partitioned by model and collection (see `vectors.py`)."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.urls import reverse

PDF = "application/pdf"


class Collection(models.Model):
    """A set of documents that the same groups may read. Without groups only superusers read it."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    groups = models.ManyToManyField(Group, blank=True, related_name="collections")
    languages = models.JSONField(
        default=list, blank=True, help_text='Stemmed languages, such as ["en", "de"].'
    )
    scratch = models.BooleanField(default=False, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name or self.slug


class Document(models.Model):
    """A document; `status` tells how far its newest content is. An older published version stays searchable
    until the new one is ready."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        PARSING = "parsing"
        EMBEDDING = "embedding"
        READY = "ready"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="documents")
    name = models.CharField(max_length=400, help_text="The file's name.")
    title = models.CharField(max_length=400, blank=True)
    content_hash = models.CharField(max_length=64, help_text="SHA-256 of the newest content, hex.")
    published_hash = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the content that is searchable."
    )
    published_name = models.CharField(
        max_length=400, blank=True, db_default="", help_text="The name of the file that is searchable."
    )
    size = models.BigIntegerField(default=0, help_text="Bytes.")
    media_type = models.CharField(max_length=120, blank=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Per cent.")
    reason = models.TextField(blank=True, help_text="Why it failed, in an administrator's words.")
    attempts = models.PositiveSmallIntegerField(default=0)
    chunk_count = models.PositiveIntegerField(default=0)
    page_count = models.PositiveIntegerField(default=0)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    heartbeat_at = models.DateTimeField(
        null=True, blank=True, help_text="When a worker last said it is at it."
    )
    ready_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["collection", "-created_at"]),
            models.Index(fields=["collection", "-ready_at"]),
            models.Index(fields=["status", "heartbeat_at"]),
            # Whether a stored file is still needed, asked for each one that is deleted.
            models.Index(fields=["content_hash"], name="document_content"),
            models.Index(fields=["published_hash"], name="document_published"),
        ]

    def __str__(self) -> str:
        return self.title or self.name

    def get_absolute_url(self) -> str:
        return reverse("document", args=[self.id])

    @property
    def readable_name(self) -> str:
        """The name of the file whose text is shown: that of a replacement comes with its text."""
        return self.published_name or self.name

    @property
    def is_pdf(self) -> bool:
        """Whether the file whose text is shown is a PDF, by its content."""
        return bool(self.published_hash) and self.media_type == PDF


class Chunk(models.Model):
    """A published piece of a document. The id is a hash of document, content and place, so COPY needs no
    RETURNING and counts cannot be read from it."""

    id = models.BigIntegerField(primary_key=True)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+")
    ordinal = models.PositiveIntegerField(help_text="Place in the document, from 0.")
    heading = models.TextField(blank=True, help_text="The path of headings: A › B.")
    page = models.PositiveIntegerField(null=True, blank=True)
    text = models.TextField()
    content_hash = models.CharField(max_length=32, help_text="BLAKE2b-128 of the text, hex.")
    repeated = models.BooleanField(
        default=False,
        db_default=False,
        help_text="It stands earlier in the document, under the same headings, and is found there by its meaning.",
    )

    class Meta:
        ordering: ClassVar = ["document", "ordinal"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["document", "ordinal"], name="chunk_place")]

    def __str__(self) -> str:
        return f"{self.document_id} {self.ordinal}"
