"""Schema, migrations, the batching writer and the queries, over SQLAlchemy Core (SQLite by default, PostgreSQL by URL).

Main type: `storage.storage.Storage` (`Storage.open(url)`); `storage.memory.MemoryStorage` is the same without a disk.
Rule: the database is a record, not a brain: nothing on a call's path waits for it.
"""
