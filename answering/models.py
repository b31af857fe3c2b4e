"""Conversations, runs and tokens. The question path writes these through psycopg (`store.py`); the ORM serves
the pages and the admin."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Conversation(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="conversations",
        db_index=False,
    )
    title = models.CharField(max_length=200)
    by_program = models.BooleanField(
        default=False, db_default=False, help_text="Only a program has asked in it, with its user's token."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["-updated_at"]
        indexes: ClassVar = [
            models.Index(
                fields=["user", "-updated_at"],
                condition=models.Q(by_program=False),
                name="conversation_listed",
            ),
            models.Index(fields=["user", "-updated_at"], name="conversation_of_user"),
        ]

    def __str__(self) -> str:
        return f"conversation {self.id}"  # never its title, which is a question: administration shows this


class Run(models.Model):
    """One question and what became of it. The id is the client's, so that the same question never runs
    twice."""

    class Status(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        ERROR = "error"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="runs")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="runs")
    question = models.TextField()
    collections = models.JSONField(null=True, blank=True)
    fresh = models.BooleanField(default=False)
    priority = models.CharField(max_length=12, default="interactive")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.RUNNING)
    owner = models.CharField(max_length=80, blank=True, help_text="The process that runs it.")
    attempt = models.PositiveSmallIntegerField(default=1)
    finish = models.CharField(max_length=12, blank=True)
    route = models.CharField(max_length=12, blank=True)
    answer = models.TextField(blank=True)
    html = models.TextField(blank=True)
    gist = models.TextField(
        blank=True, help_text="A sentence or two, for later turns; written when the run is over."
    )
    citations = models.JSONField(default=list)
    cited = models.JSONField(default=list)
    degraded = models.JSONField(default=list)
    stages = models.JSONField(default=list)
    events = models.JSONField(default=list, help_text="The frames as they were sent, for an exact replay.")
    error = models.CharField(max_length=60, blank=True)
    first_citation_ms = models.FloatField(null=True, blank=True)
    first_token_ms = models.FloatField(null=True, blank=True)
    usable_ms = models.FloatField(null=True, blank=True)
    total_ms = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["created_at"]
        indexes: ClassVar = [
            models.Index(fields=["conversation", "created_at"]),
            models.Index(fields=["-created_at"]),
            models.Index(fields=["status", "created_at"]),
        ]

    def __str__(self) -> str:
        return f"run {self.id}"  # never the question: administration shows this


class Profile(models.Model):
    """What a user tells about themselves, so that answers fit: `role` and `location` go into the prompt."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="profile")
    role = models.CharField(max_length=120, blank=True)
    location = models.CharField(max_length=120, blank=True)
    about = models.CharField(max_length=400, blank=True)

    def __str__(self) -> str:
        return f"{self.role} {self.location}".strip()


class ApiToken(models.Model):
    """A token of the HTTP interface. Only its SHA-256 is stored."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"token of {self.user_id}"


class CachedAnswer(models.Model):
    """A model's answer that may serve the same question again (`caches/answer.py`). It bears no question,
    only digests of its words; `chunks`, `hashes` and `numbers` are the passages that the model was given."""

    key = models.CharField(max_length=32, help_text="Of scope, words in order, prompt version and model.")
    profile = models.CharField(
        max_length=32, blank=True, help_text="MD5 of the asker's profile, which the model saw."
    )
    exact = models.CharField(max_length=32, help_text="Of the question's one spelling.")
    family = models.CharField(
        max_length=32, help_text="Of scope, prompt version, model and the words that decide."
    )
    words = ArrayField(models.BigIntegerField(), help_text="Digests of the content words.")
    text = models.TextField()
    numbers = ArrayField(models.IntegerField())
    chunks = ArrayField(models.BigIntegerField())
    hashes = ArrayField(models.CharField(max_length=32))
    cited = ArrayField(models.IntegerField())
    documents = ArrayField(models.UUIDField())
    asked_at = models.DateTimeField(help_text="When the question came: newer documents were not seen.")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["key", "profile"], name="cached_answer_key")]
        indexes: ClassVar = [
            models.Index(fields=["family", "-asked_at"], name="cached_answer_family"),
            models.Index(fields=["asked_at"], name="cached_answer_age"),
            GinIndex(fields=["documents"], name="cached_answer_documents"),
        ]

    def __str__(self) -> str:
        return self.text[:80]
