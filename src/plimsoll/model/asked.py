"""What a key of the manifest asks for beyond its type: written beside the type, read by reader and schema alike."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import functools
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, Final, Union, get_args, get_origin

import msgspec

from plimsoll.model.quantity import Quantity, UnitKind


class Text(enum.StrEnum):
    """What a text holds."""

    SENTENCE = "sentence"
    NAME = "name"  # of a person or a team
    CONTACT = "contact"  # an address, a number, a channel: whatever reaches somebody
    KNOWN = "known contact"  # a contact that stands under `owners`, as a contact or a member
    FILE = "file"  # a path relative to the manifest
    SLUG = "slug"  # a short name of a-z, 0-9 and -
    CALLABLE = "callable"  # "package.module:callable"
    SERVICE = "service"  # "host:port" or "unix:/path"
    URL = "url"  # http:// or https://
    POINTER = "pointer"  # a JSON Pointer; "" is the whole value
    VARIABLE = "variable"  # the name of an environment variable
    VALUE = "value"  # any text of one line, blanks around it included
    HOST = "host"  # a host, "*." and a domain, or a network such as 10.0.0.0/8
    CURRENCY = "currency"  # three capital letters (ISO 4217)


class Says(msgspec.Struct, frozen=True):
    """What a key is for, in words; shown by editors and when it is missing."""

    text: str


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a value must be. Limits are in the base unit of a quantity, or the number itself."""

    text: Text = Text.SENTENCE
    unit: UnitKind = UnitKind.COUNT
    example: str = ""
    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None
    every: bool = False  # "every 90 days" may be written for "90 days"

    def outside(self, value: float) -> str:
        """In words, which limit a number is beyond; "" when it is within all."""
        if self.above is not None and not value > self.above:
            return f"above {self.written(self.above)}"
        if self.least is not None and not value >= self.least:
            return f"at least {self.written(self.least)}"
        if self.below is not None and not value < self.below:
            return f"below {self.written(self.below)}"
        if self.most is not None and not value <= self.most:
            return f"at most {self.written(self.most)}"
        return ""

    def written(self, base: float) -> str:
        """A limit as a person would write it."""
        return Quantity.parse(self.example).like(base) if self.example else f"{base:g}"


Sentence = Annotated[str, Asked(text=Text.SENTENCE)]
Name = Annotated[str, Asked(text=Text.NAME)]
Contact = Annotated[str, Asked(text=Text.CONTACT)]
KnownContact = Annotated[str, Asked(text=Text.KNOWN)]
File = Annotated[str, Asked(text=Text.FILE)]
Slug = Annotated[str, Asked(text=Text.SLUG)]
Reference = Annotated[str, Asked(text=Text.CALLABLE, example="package.module:callable")]
Service = Annotated[str, Asked(text=Text.SERVICE, example="api.example.org:443")]
Url = Annotated[str, Asked(text=Text.URL, example="https://models.example.org/predict")]
Pointer = Annotated[str, Asked(text=Text.POINTER, example="/output")]
Variable = Annotated[str, Asked(text=Text.VARIABLE, example="CLAIMS_TOKEN")]
Value = Annotated[str, Asked(text=Text.VALUE)]
Host = Annotated[str, Asked(text=Text.HOST, example="api.example.com")]
Currency = Annotated[str, Asked(text=Text.CURRENCY, example="EUR")]
Day = Annotated[dt.date, Asked(example="2027-01-31")]
Amount = Annotated[decimal.Decimal, Asked(least=0.0)]
Duration = Annotated[Quantity, Asked(unit=UnitKind.DURATION, above=0.0, example="300ms")]
Period = Annotated[Quantity, Asked(unit=UnitKind.DURATION, above=0.0, example="90 days", every=True)]
Rate = Annotated[Quantity, Asked(unit=UnitKind.RATE, above=0.0, example="50/s")]
Share = Annotated[Quantity, Asked(unit=UnitKind.RATIO, above=0.0, most=1.0, example="95%")]
Confidence = Annotated[Quantity, Asked(unit=UnitKind.RATIO, least=0.5, below=1.0, example="95%")]


class WordOrGroup(msgspec.Struct, frozen=True):
    """The type of a value that is either one of a few words or a group of keys."""

    words: type[enum.StrEnum]
    group: type[msgspec.Struct]


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key that a group of the manifest may have."""

    name: str
    type: Any  # without annotations, and without None
    asked: Asked
    says: str
    required: bool
    default: Any = None


_PLAIN: Final = Asked()


def key_of(annotation: Any, name: str = "") -> Key:
    """A type with its annotations, taken apart."""
    type_, asked, says = _unwrap(annotation)
    return Key(name=name, type=type_, asked=asked or _PLAIN, says=says, required=True)


@functools.cache  # types do not change, and taking their annotations apart costs more than reading a file
def keys_of(group: type[msgspec.Struct]) -> Mapping[str, Key]:
    """The keys of a group, in the order in which they are declared."""
    keys = {}
    for field in msgspec.structs.fields(group):
        type_, asked, says = _unwrap(field.type)
        default = (
            field.default_factory() if field.default is msgspec.NODEFAULT and not field.required else field.default
        )
        keys[field.encode_name] = Key(
            name=field.encode_name,
            type=type_,
            asked=asked or _PLAIN,
            says=says,
            required=field.required,
            default=None if field.required else default,
        )
    return types.MappingProxyType(keys)


def _unwrap(annotation: Any) -> tuple[Any, Asked | None, str]:
    """Type, what is asked, and what it is for, through any nesting of ``Annotated`` and ``| None``."""
    origin = get_origin(annotation)
    if origin is Annotated:
        type_, asked, says = _unwrap(get_args(annotation)[0])
        for mark in annotation.__metadata__:
            asked = mark if isinstance(mark, Asked) else asked
            says = mark.text if isinstance(mark, Says) else says
        return type_, asked, says
    if origin in {Union, types.UnionType}:
        some = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
        return _unwrap(some[0]) if len(some) == 1 else (WordOrGroup(*some), None, "")
    return annotation, None, ""
