from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from answering import tokens


class Command(BaseCommand):
    help = "Print a new token for the HTTP interface, alone on the last line. Only its hash is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "user", metavar="USER", help="name of an existing user; programs with the token act as this user"
        )

    def handle(self, *args: Any, user: str, **options: Any) -> None:
        try:
            owner = User.objects.get(username=user, is_active=True)
        except User.DoesNotExist:
            raise CommandError(
                f"There is no active user {user!r}. Make one in /admin/ or with createsuperuser."
            ) from None
        self.stderr.write(f"Keep this token; it is shown only once. It acts as {user}.")
        self.stdout.write(tokens.create(owner))
