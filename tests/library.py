"""A small library of random vectors beside a naive model of it: what is in, and what is nearest to a question."""

import contextlib
import socket
import threading
import uuid

import numpy as np

from retrieval import database, maintenance
from retrieval.models import Collection
from retrieval.vectors import publish


class Library:
    """Writes through `connection` (psycopg, autocommit) and remembers every vector."""

    model, dimensions = "test-model", 24

    def __init__(self, connection):
        self.connection = connection
        self.vectors, self.homes, self.collections = {}, {}, []
        self.random = np.random.default_rng(5)

    def collection(self, slug):
        with self.connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO retrieval_collection (slug, name, languages, scratch, created_at)"
                " VALUES (%s, %s, '[]', false, now()) RETURNING id",
                [slug, slug],
            )
            made = Collection(pk=cursor.fetchone()[0], slug=slug)
        self.collections.append(made)
        return made

    def vector(self, seed=None):
        random = self.random if seed is None else np.random.default_rng(seed)
        drawn = random.normal(size=self.dimensions).astype(np.float32)
        return drawn / np.linalg.norm(drawn)

    def add(self, collection, count):
        """A document of `count` chunks with vectors; returns the chunks' ids."""
        drawn = self.random.normal(size=(count, self.dimensions)).astype(np.float32)
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        ids = [int(number) for number in self.random.integers(1, 2**62, count)]
        document = uuid.uuid4()
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO retrieval_document (id, collection_id, name, title, content_hash, published_hash, size,"
                " media_type, status, progress, reason, attempts, chunk_count, page_count, created_at, changed_at)"
                " VALUES (%s, %s, 'a.md', '', '', '', 0, '', 'ready', 100, '', 0, %s, 0, now(), now())",
                [document, collection.pk, count],
            )
            columns = "id, document_id, collection_id, ordinal, heading, text, content_hash"
            with cursor.copy(f"COPY retrieval_chunk ({columns}) FROM STDIN") as copy:
                for place, key in enumerate(ids):
                    copy.write_row((key, document, collection.pk, place, "", f"text of {key}", "0"))
            publish(
                cursor,
                model=self.model,
                dimensions=self.dimensions,
                collection_id=collection.pk,
                chunks=ids,
                vectors=drawn,
            )
        for key, vector in zip(ids, drawn, strict=True):
            self.vectors[key], self.homes[key] = vector, collection.pk
        return ids

    def members(self, collections):
        allowed = {collection.pk for collection in collections}
        return {key for key, home in self.homes.items() if home in allowed}

    def nearest(self, question, collections, k):
        return tuple(sorted(self.members(collections), key=lambda key: -self.cosine(question, key))[:k])

    def cosine(self, question, chunk):
        return float(question @ self.vectors[chunk].astype(np.float16).astype(np.float32))

    def copy(self, collection):
        maintenance.make_copy(self.connection, self.model, self.dimensions, collection.pk)

    def drop_copies(self):
        for collection in self.collections:
            maintenance.drop_copy(self.connection, self.model, self.dimensions, collection.pk)

    def estimate(self, collection, rows):
        """Makes the search believe that a collection has so many rows, to have it plan as for a large library."""
        self.execute(
            "UPDATE retrieval_document SET chunk_count = %s WHERE collection_id = %s", rows, collection.pk
        )

    @contextlib.contextmanager
    def overlooked(self):
        """What is added meanwhile no graph leads to, as where hundreds of chunks are neighbours of each other alone."""
        ready = "UPDATE pg_index SET indisready = %s WHERE indexrelid::regclass::text ~ '_hnsw[01]?$'"
        self.execute(ready, False)
        yield
        self.execute(ready, True)

    def execute(self, sql, *values):
        self.connection.execute(sql, values)

    def count(self, table):
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {table}")
            return cursor.fetchone()[0]


class HangingServer:
    """A door to Postgres that can stop letting anything through, without closing."""

    def __init__(self, path):
        self.target = path
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.open = threading.Event()
        self.open.set()
        self.ends = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.target)
            self.ends += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source, sink):
        try:
            while data := source.recv(65536):
                self.open.wait()
                sink.sendall(data)
        except OSError:
            return

    def hang(self):
        self.open.clear()

    def cut(self):
        for end in [self.listener, *self.ends]:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for end in [self.listener, *self.ends]:
            end.close()
        self.open.set()

    def pool(self):
        port = self.listener.getsockname()[1]
        return database.make_pool(
            f"host=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=disable gssencmode=disable",
            min_size=1,
            max_size=1,
        )


class HashEmbedder:
    """Vectors drawn from the text's hash; `before` is called with each batch before it is embedded."""

    def __init__(self, name, dimensions=16, before=lambda texts: None):
        self.name, self.dimensions, self.before = name, dimensions, before
        self.embedded = []

    def embed_documents(self, texts):
        self.before(texts)
        self.embedded += texts
        drawn = [
            np.random.default_rng(list(text.encode())).normal(size=self.dimensions).astype(np.float32)
            for text in texts
        ]
        return np.array([vector / np.linalg.norm(vector) for vector in drawn])

    async def embed_query(self, text, *, timeout):
        return self.embed_documents([text])[0]

    async def aclose(self):
        pass
