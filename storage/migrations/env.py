"""What Alembic runs: the migrations, in the transaction of the connection it was given."""

from alembic import context

import storage.schema
import storage.schema_campaigns  # noqa: F401
from storage.columns import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
# The transaction is the caller's, so that no one sees a database between two revisions.
context.run_migrations()
