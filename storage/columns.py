"""Of what tables are made: the kinds of columns there are, and the one list of all tables (`storage.schema` says what
holds for each)."""

from sqlalchemy import BigInteger, Boolean, Column, Double, ForeignKey, MetaData, Text
from sqlalchemy.sql import text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

_TEXT = Text().with_variant(Text(collation="C"), "postgresql")


def text_column(name: str, *args: ForeignKey, is_key: bool = False, default: str = "") -> Column[str]:
    if is_key:
        return Column(name, _TEXT, *args, nullable=False)
    return Column(name, _TEXT, *args, nullable=False, server_default=text(f"'{default}'"))


def float_column(name: str) -> Column[float]:
    return Column(name, Double(), nullable=False, server_default=text("0"))


def int_column(name: str) -> Column[int]:
    return Column(name, BigInteger(), nullable=False, server_default=text("0"))


def flag_column(name: str, is_set: bool) -> Column[bool]:
    return Column(name, Boolean(), nullable=False, server_default=text("true" if is_set else "false"))
