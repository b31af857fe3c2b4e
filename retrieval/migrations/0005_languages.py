from django.db import migrations

# Each word's terms follow from the language it is read in, so whoever changes that changes every document.
REREAD = """
    CREATE FUNCTION retrieval_collection_reread() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        INSERT INTO retrieval_change (document_id) SELECT id FROM retrieval_document WHERE collection_id = NEW.id;
        PERFORM pg_notify('retrieval_change', '');
        RETURN NULL;
    END $$;
    CREATE TRIGGER retrieval_collection_reread AFTER UPDATE OF languages ON retrieval_collection
        FOR EACH ROW WHEN (OLD.languages IS DISTINCT FROM NEW.languages)
        EXECUTE FUNCTION retrieval_collection_reread();
"""


class Migration(migrations.Migration):
    dependencies = [("retrieval", "0004_published_name")]

    operations = [migrations.RunSQL(REREAD, "DROP FUNCTION retrieval_collection_reread CASCADE")]
