"""Connections to Postgres, and Django's engine over them (`retrieval.postgres` in its settings)."""
