"""Secrets: which arguments of a call nobody may read, and texts without them. Computed only where a job fails."""

import inspect
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, TypeVar, get_args, get_type_hints
from urllib.parse import quote, quote_plus

T = TypeVar("T")


class _Mark:
    """Marks an annotation."""

    def __repr__(self) -> str:
        return "postroom.Secret"


_MARK = _Mark()
Secret = Annotated[T, _MARK]
"""`pin: Secret[str]`: the handler gets a plain str, and nothing that leaves the worker's process shows its value."""

MASK = "***"
SHORTEST = 4
"""Characters of a value that is looked for in texts: shorter ones stand everywhere."""
_LINE = 8
"""The same for one line of a value of many."""
NAMES = (
    *("password", "passwd", "passphrase", "secret", "token", "apikey", "authorization", "credential", "privatekey"),
    *("accesskey", "cookie", "session"),
)
"""What makes an argument, or an entry of a dict, a secret by its name: `api_key`, `stripeApiKey`, `X-API-Key`."""


def names_of(setting: str) -> tuple[str, ...]:
    """The patterns of `Settings.secret_names`: with a `=` before them they replace NAMES, else they are added."""
    own = tuple(found for name in setting.lstrip("=").split(",") if (found := _plain(name)))
    return own if setting.startswith("=") else (*NAMES, *own)


def mask_arguments(
    function: Callable[..., Any] | None, args: Sequence[Any], kwargs: Mapping[str, Any], names: Collection[str] = NAMES
) -> tuple[list[Any], dict[str, Any]]:
    """A call's arguments, fit to be shown: what is secret is `***`, in nested dicts, too.

    Args:
        function: what they are for; None where that is not known: then an argument without a name may be anything,
            and all of them are masked.
        names: patterns, as `names_of` gives them.
    """
    return mask(args, kwargs, hidden(function, args, kwargs, names), names)


def mask(
    args: Sequence[Any], kwargs: Mapping[str, Any], hidden: Collection[int | str], names: Collection[str] = NAMES
) -> tuple[list[Any], dict[str, Any]]:
    """`mask_arguments`, where it is known which arguments are `hidden` as a whole."""
    shown = [MASK if at in hidden else _masked(value, names) for at, value in enumerate(args)]
    return shown, {
        name: MASK if name in hidden or is_secret(name, names) else _masked(value, names)
        for name, value in kwargs.items()
    }


def hidden(
    function: Callable[..., Any] | None, args: Sequence[Any], kwargs: Mapping[str, Any], names: Collection[str] = NAMES
) -> list[int | str]:
    """Which arguments are secret as a whole: the places of positional ones, the names of the others."""
    by_place, rest, by_name, _ = _parameters(function) if function else NOTHING_KNOWN
    found: list[int | str] = [] if function else list(range(len(args)))
    for at in range(len(args)):
        parameter = by_place[at] if at < len(by_place) else rest
        if parameter and (by_name[parameter] or is_secret(parameter, names)):
            found.append(at)
    everything = by_name.get("**", False)
    return found + [name for name in kwargs if by_name.get(name, everything) or is_secret(name, names)]


def secret_values(
    function: Callable[..., Any] | None, args: Sequence[Any], kwargs: Mapping[str, Any], names: Collection[str] = NAMES
) -> list[str]:
    """The values of a call that no text may hold, as `scrub` takes them. Those shorter than SHORTEST are left out."""
    # Of a function that is not known only names are judged: what may be anything would tear holes into every text.
    secret = hidden(function, args if function else (), kwargs, names)
    leaves = [
        leaf
        for place, value in (*enumerate(args), *kwargs.items())
        for leaf in (_leaves(value) if place in secret else _secret_leaves(value, names))
    ]
    _, _, marked, defaults = _parameters(function) if function else NOTHING_KNOWN
    for name, value in defaults.items():  # what the handler gets where the call says nothing
        leaves += _leaves(value) if marked[name] or is_secret(name, names) else ()
    found = {text for leaf in leaves for text in _spellings(leaf)}
    return sorted(found, key=len, reverse=True)


def scrub(text: str, values: Sequence[str]) -> str:
    """`text` with `***` in the place of each of `values`."""
    return re.sub("|".join(map(re.escape, values)), MASK, text) if values else text


def is_secret(name: object, names: Collection[str]) -> bool:
    """Does a pattern stand in this name? Case and whatever is no letter or digit do not count."""
    plain = _plain(name)
    return any(pattern in plain for pattern in names)


@dataclass(frozen=True)
class Veil:
    """What nobody may read of one call: `veil(text)` is the text without it."""

    function: Callable[..., Any] | None = None
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] | None = None
    names: Collection[str] = NAMES
    typed: tuple[Sequence[Any], Mapping[str, Any]] = ((), {})
    """The arguments as the handler gets them, as dicts and lists, where that is another value: bytes, a Decimal."""

    def __call__(self, text: str) -> str:
        return scrub(text, self.values)

    @cached_property
    def values(self) -> list[str]:
        """As `secret_values`."""
        found = secret_values(self.function, self.args, self.kwargs or {}, self.names)
        if any(self.typed):
            found += secret_values(self.function, *self.typed, self.names)
        return sorted({*found}, key=len, reverse=True)

    @cached_property
    def hidden(self) -> list[int | str]:
        """As `hidden`."""
        return hidden(self.function, self.args, self.kwargs or {}, self.names)

    @property
    def arguments(self) -> tuple[list[Any], dict[str, Any]]:
        """The arguments, fit to be shown."""
        return mask(self.args, self.kwargs or {}, self.hidden, self.names)

    def covers(self, name: object) -> bool:
        """Is this the name of a secret, or of a parameter that is one?"""
        marked = _parameters(self.function)[2] if self.function else {}
        return is_secret(name, self.names) or (isinstance(name, str) and marked.get(name, False))


def _plain(name: object) -> str:
    return "".join(filter(str.isalnum, str(name).lower()))


def _masked(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        return {key: MASK if is_secret(key, names) else _masked(item, names) for key, item in value.items()}
    return [_masked(item, names) for item in value] if isinstance(value, list | tuple) else value


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _secret_leaves(value: Any, names: Collection[str]) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item) if is_secret(key, names) else _secret_leaves(item, names)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secret_leaves(item, names)


def _spellings(value: Any) -> Iterable[str]:
    """How a value may stand in a text: as itself, as Python, JSON and URLs quote it, and line by line."""
    if value is None or isinstance(value, bool):
        return ()
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    data = text.encode(errors="replace")
    shown = "" if isinstance(value, str) else repr(value)[2:-1] if isinstance(value, bytes) else repr(value)
    quoted = (
        shown,
        *(repr(text)[1:-1], repr(data)[2:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]),
        *(quote(data, safe=""), quote(data), quote_plus(data), quote_plus(data, safe="/")),
    )
    lines = [line for line in text.splitlines() if len(line) >= _LINE]
    return {found for found in (text, *quoted, *lines) if len(found) >= SHORTEST and len(text) >= SHORTEST}


Parameters = tuple[list[str], str | None, dict[str, bool], dict[str, Any]]
"""The names of positional parameters, that of `*args`, whether each is marked, and the defaults; `**kwargs` is `**`."""
NOTHING_KNOWN: Parameters = ([], None, {}, {})


@lru_cache(maxsize=1024)
def _parameters(function: Callable[..., Any]) -> Parameters:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return NOTHING_KNOWN
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception:  # a name that only type checkers know: judge by what is written
        hints = {}
    by_place, rest, marked, defaults = [], None, {}, {}
    for parameter in parameters:
        name = "**" if parameter.kind is parameter.VAR_KEYWORD else parameter.name
        marked[name] = _is_marked(hints.get(parameter.name, parameter.annotation))
        if parameter.default is not parameter.empty:
            defaults[name] = parameter.default
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = name
        elif parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}:
            by_place.append(name)
    return by_place, rest, marked, defaults


def _is_marked(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return re.search(r"\bSecret\[", annotation) is not None
    return annotation is _MARK or any(
        part is _MARK or _is_marked(part) for part in (*get_args(annotation), *getattr(annotation, "__metadata__", ()))
    )
