"""Where a value stands that is not of its type, in the words of the handler's parameters."""

import re
from collections.abc import Callable

_PLACE = re.compile(r"(?P<what>.*) - at `(?P<key>key` in `)?\$\[(?P<part>[23])\](?P<path>.*)`", re.DOTALL)
_AT = re.compile(r"\[(\d+)\](.*)", re.DOTALL)


def told(error: Exception, name_at: Callable[[int], str], places: int) -> str:
    """What msgspec or pydantic says of a call that it could not read.

    Args:
        name_at: the parameter that takes the argument at a place.
        places: how many parameters take one argument by place; what stands behind is one of several.
    """
    match = _PLACE.fullmatch(str(error))
    if match is None:
        return str(error)
    path, what = match["path"].removeprefix("."), match["what"]
    if match["part"] == "2" and (at := _AT.fullmatch(path)):
        number = int(at[1])
        path = name_at(number) + (f"[{number - places}]" if number >= places else "") + at[2]
    model = getattr(error.__cause__, "errors", None)
    if model is not None:
        first = model()[0]
        what = first["msg"]
        path += "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
    return f"{'a key of ' if match['key'] else ''}{path}: {what[:1].lower()}{what[1:]}"
