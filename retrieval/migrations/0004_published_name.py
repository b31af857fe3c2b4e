from django.db import migrations, models

NAME_WHAT_IS_PUBLISHED = "UPDATE retrieval_document SET published_name = name WHERE published_hash <> ''"


class Migration(migrations.Migration):

    dependencies = [
        ('retrieval', '0003_repeated_chunks'),
    ]

    operations = [
        migrations.AddField(
            model_name='document',
            name='published_name',
            field=models.CharField(blank=True, db_default='', help_text='The name of the file that is searchable.', max_length=400),
        ),
        migrations.RunSQL(NAME_WHAT_IS_PUBLISHED, migrations.RunSQL.noop),
    ]
