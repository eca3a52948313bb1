"""Schema, migrations, the batching writer and the queries, over SQLAlchemy Core (SQLite by default, PostgreSQL by URL).

Rule: the database is a record, not a brain: nothing on a call's path waits for it.
"""
