"""Which database: a URL, or a plain path to an SQLite file."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from storage.errors import UnavailableError

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


def parse_database_url(text: str) -> URL:
    """`sqlite+aiosqlite:///PATH`, `postgresql+asyncpg://USER:PASSWORD@HOST/NAME`, without the driver too, or a path.

    ValueError when it is none of these, names another database, or SQLite without a file.
    """
    if "://" not in text:
        if not text or text == ":memory:":
            raise ValueError(f"the database needs a file, not {text!r}")
        return URL.create("sqlite+aiosqlite", database=text)
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise ValueError(f"not a database URL: {error}") from error
    name = _DRIVERS.get(url.drivername, url.drivername)
    if name not in _DRIVERS.values():
        raise ValueError(
            f"{url.drivername} is not supported: sqlite+aiosqlite:///PATH or postgresql+asyncpg://HOST/NAME"
        )
    if name.startswith("sqlite") and (not url.database or url.database == ":memory:"):
        raise ValueError("the database needs a file: sqlite+aiosqlite:///PATH")
    if name.startswith("postgresql") and not url.database:
        raise ValueError("the URL names no database: postgresql+asyncpg://HOST/NAME")
    return url.set(drivername=name)


def sqlite_path(url: URL) -> Path | None:
    """The file of an SQLite database, None for PostgreSQL."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def beside_database(url: URL) -> Path:
    """The folder of an SQLite database. ValueError for PostgreSQL."""
    path = sqlite_path(url)
    if path is None:
        raise ValueError("with PostgreSQL a folder for what it refuses must be named")
    return path.parent


def make_folder(folder: Path) -> None:
    """UnavailableError when it is not there and cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnavailableError(f"no folder {folder}: {error}") from error
