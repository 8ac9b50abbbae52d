"""SVG elements as text, every value escaped. Made for HTML, where an inline picture needs no namespace."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Svg(str):
    """Markup that is safe to put into a page as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        """What a template that escapes by itself takes in place of escaping."""
        return self


def element(name: str, *children: Svg | str, **attributes: str | float | None) -> Svg:
    """One element; children that are not `Svg` are escaped as text.

    In attribute names ``_`` stands for ``-`` (a trailing one for nothing); an attribute that is None is left out.

    >>> element("text", "a < b", class_="n", x=4.25)
    '<text class="n" x="4.25">a &lt; b</text>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(child if isinstance(child, Svg) else escape(child) for child in children)
    return Svg(f"<{name}{said}>{inner}</{name}>" if inner else f"<{name}{said}/>")


def picture(width: float, height: float, label: str, parts: Iterable[Svg], *, class_: str = "") -> Svg:
    """A whole picture with what it says for those who do not see it."""
    box = f"0 0 {number(width)} {number(height)}"
    return element("svg", *parts, viewBox=box, role="img", aria_label=label, class_=class_ or None)


def number(value: str | float) -> str:
    """A coordinate with at most two decimals, text as it is."""
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".")
