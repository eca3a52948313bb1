"""Questions to the database whose failures are told to who has sent a command."""

from collections.abc import Awaitable
from typing import TypeVar

from model import errors
from storage.errors import CursorError, UnavailableError

T = TypeVar("T")


async def asked(query: Awaitable[T]) -> T:
    """Raises StorageUnavailable, and InvalidValue for a cursor that is none."""
    try:
        return await query
    except UnavailableError as error:
        raise errors.StorageUnavailable(str(error)) from None
    except CursorError as error:
        raise errors.InvalidValue(str(error), field="cursor") from None
