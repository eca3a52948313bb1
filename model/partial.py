"""Settings of which some are given: the type of what a command may change, made of that of what it changes. Pure."""

from typing import TypeVar, Union, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from model.settings import Section

S = TypeVar("S", bound=Section)


def partial(kind: type[Section], *, without: tuple[str, ...] = ()) -> type[Section]:
    """A type with the fields of `kind`, checked alike, each of which may be left out; those of sections in it, too.

    It is named for `kind`: NAMESettings.
    """
    fields = []
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if name not in without:
            inner = partial(hint) if isinstance(hint, type) and issubclass(hint, Section) else hint
            fields.append((name, Union[inner, UnsetType], UNSET))  # noqa: UP007 (made at run time)
    made: type[Section] = msgspec.defstruct(  # type: ignore[assignment]
        f"{kind.__name__}Settings",
        fields,
        bases=(Section,),
        module=kind.__module__,
        namespace={"__doc__": f"What is given of a {kind.__name__}; the rest is as it is, or as usual in a new one."},
        frozen=True,
        kw_only=True,
    )
    return made


def merged(settings: S, given: Section) -> S:
    """The settings with what is given of a `partial` of their type."""
    changes = {}
    for name in given.__struct_fields__:
        value = getattr(given, name)
        if value is not UNSET:
            changes[name] = merged(getattr(settings, name), value) if isinstance(value, Section) else value
    return msgspec.structs.replace(settings, **changes)
