from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("retrieval", "0005_languages"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddIndex(
            model_name="document",
            index=models.Index(fields=["content_hash"], name="document_content"),
        ),
        migrations.AddIndex(
            model_name="document",
            index=models.Index(fields=["published_hash"], name="document_published"),
        ),
    ]
