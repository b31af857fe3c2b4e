from django.db import migrations

# `retrieval_embedding` is the truth: a partition for each model, made with the model (retrieval/partitions.py), with
# one HNSW index over all collections. That index is fast for those who may read much and slow for those who may
# read little, so collections of some size have a copy of their rows beside it, with an index of its own; copies
# may be made and dropped at any time. A partition's column cannot have dimensions, since partitions share their
# root's types; the index on `embedding::halfvec(n)` holds every row to them.
TABLES = """
    CREATE EXTENSION IF NOT EXISTS vector;

    CREATE TABLE retrieval_embeddingmodel (
        id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL,
        dimensions integer NOT NULL CHECK (dimensions BETWEEN 1 AND 4000),
        state text NOT NULL CHECK (state IN ('building', 'active', 'retired')),
        created_at timestamptz NOT NULL DEFAULT now(),
        retired_at timestamptz,
        UNIQUE (name, dimensions)
    );
    CREATE UNIQUE INDEX retrieval_embeddingmodel_active ON retrieval_embeddingmodel (state) WHERE state = 'active';

    CREATE TABLE retrieval_embeddingcopy (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        model_id smallint NOT NULL REFERENCES retrieval_embeddingmodel ON DELETE CASCADE,
        collection_id bigint NOT NULL,
        UNIQUE (model_id, collection_id)
    );

    CREATE TABLE retrieval_embedding (
        model_id smallint NOT NULL,
        collection_id bigint NOT NULL,
        chunk_id bigint NOT NULL,
        embedding halfvec NOT NULL
    ) PARTITION BY LIST (model_id);
"""

# A chunk's vectors go when it goes and move when it moves, whoever does it: permissions hang on it. The lock is
# taken shared by all who write to a collection's copies and alone by whoever makes or drops one.
TRIGGERS = """
    CREATE FUNCTION retrieval_embedding_lock(collections bigint[]) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE key integer;
    BEGIN
        FOR key IN SELECT DISTINCT hashint8(c) FROM unnest(collections) c ORDER BY 1 LOOP
            PERFORM pg_advisory_xact_lock_shared(20481, key);
        END LOOP;
    END $$;

    CREATE FUNCTION retrieval_chunk_gone() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        chunks bigint[] := ARRAY(SELECT id FROM gone);
        held bigint[] := ARRAY(SELECT DISTINCT collection_id FROM gone);
        place text;
    BEGIN
        IF cardinality(chunks) = 0 THEN
            RETURN NULL;
        END IF;
        PERFORM retrieval_embedding_lock(held);
        FOR place IN
            SELECT format('retrieval_embedding_%s', id) FROM retrieval_embeddingmodel
            UNION ALL
            SELECT format('retrieval_embeddingcopy_%s', id) FROM retrieval_embeddingcopy
            WHERE collection_id = ANY (held)
        LOOP
            EXECUTE format('DELETE FROM %I WHERE chunk_id = ANY ($1)', place) USING chunks;
        END LOOP;
        RETURN NULL;
    END $$;

    CREATE FUNCTION retrieval_chunk_moved() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        chunks bigint[] := ARRAY(
            SELECT id FROM before b JOIN after a USING (id) WHERE a.collection_id <> b.collection_id);
        held bigint[] := ARRAY(SELECT collection_id FROM before UNION SELECT collection_id FROM after);
        model smallint;
        copy record;
    BEGIN
        IF cardinality(chunks) = 0 THEN
            RETURN NULL;
        END IF;
        PERFORM retrieval_embedding_lock(held);
        FOR model IN SELECT id FROM retrieval_embeddingmodel LOOP
            EXECUTE format(
                'UPDATE %I e SET collection_id = c.collection_id FROM retrieval_chunk c
                 WHERE e.chunk_id = ANY ($1) AND c.id = e.chunk_id',
                format('retrieval_embedding_%s', model)) USING chunks;
        END LOOP;
        FOR copy IN SELECT * FROM retrieval_embeddingcopy WHERE collection_id = ANY (held) LOOP
            EXECUTE format(
                'DELETE FROM %I WHERE chunk_id = ANY ($1)',
                format('retrieval_embeddingcopy_%s', copy.id)) USING chunks;
            EXECUTE format(
                'INSERT INTO %I SELECT * FROM %I WHERE chunk_id = ANY ($1) AND collection_id = $2',
                format('retrieval_embeddingcopy_%s', copy.id), format('retrieval_embedding_%s', copy.model_id)
            ) USING chunks, copy.collection_id;
        END LOOP;
        RETURN NULL;
    END $$;

    CREATE FUNCTION retrieval_chunk_flushed() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE place text;
    BEGIN
        FOR place IN
            SELECT format('retrieval_embeddingcopy_%s', id) FROM retrieval_embeddingcopy
            UNION ALL
            SELECT format('retrieval_embedding_%s', id) FROM retrieval_embeddingmodel
        LOOP
            EXECUTE format('DROP TABLE %I', place);
        END LOOP;
        DELETE FROM retrieval_embeddingmodel;
        RETURN NULL;
    END $$;

    CREATE TRIGGER retrieval_chunk_flushed AFTER TRUNCATE ON retrieval_chunk
        FOR EACH STATEMENT EXECUTE FUNCTION retrieval_chunk_flushed();
    CREATE TRIGGER retrieval_chunk_gone AFTER DELETE ON retrieval_chunk
        REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION retrieval_chunk_gone();
    CREATE TRIGGER retrieval_chunk_moved AFTER UPDATE ON retrieval_chunk
        REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION retrieval_chunk_moved();
"""


class Migration(migrations.Migration):
    dependencies = [("retrieval", "0001_initial")]

    operations = [
        migrations.RunSQL(
            TABLES,
            """
            DO $$ DECLARE place text; BEGIN
                FOR place IN SELECT format('retrieval_embeddingcopy_%s', id) FROM retrieval_embeddingcopy LOOP
                    EXECUTE format('DROP TABLE %I', place);
                END LOOP;
            END $$;
            DROP TABLE retrieval_embedding, retrieval_embeddingcopy, retrieval_embeddingmodel
            """,
        ),
        migrations.RunSQL(
            TRIGGERS,
            "DROP FUNCTION retrieval_chunk_gone, retrieval_chunk_moved, retrieval_chunk_flushed,"
            " retrieval_embedding_lock CASCADE",
        ),
    ]
