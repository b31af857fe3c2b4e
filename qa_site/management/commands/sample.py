from typing import Any

from django.core.management.base import BaseCommand

from qa_site import sample_handbook


class Command(BaseCommand):
    help = "Add the sample handbook, readable by everyone, to the library. The worker of a running stack indexes it."

    def handle(self, *_: Any, **options: Any) -> None:
        self.stdout.write(f"{sample_handbook.add()} documents queued in {sample_handbook.COLLECTION}.")
