"""Events of Sentry without a job's secrets: in texts, breadcrumbs, spans and the local variables of frames."""

from datetime import datetime
from enum import Enum
from typing import Any, cast

from sentry_sdk.types import Event
from sentry_sdk.utils import AnnotatedValue, safe_repr  # type: ignore[attr-defined]

from postroom.jobs.secrets import MASK, Veil

_OURS = ("postroom.jobs.", "postroom.workers.")
_KEPT = {"lineno", "timestamp", "start_timestamp"}
"""Numbers that say nothing of a job, and that Sentry needs."""


def scrubbed(event: Event, veil: Veil) -> Event:
    """A copy of `event` without what `veil` hides."""
    # At the top, sentry_sdk may keep objects of its own, such as a profile.
    found: dict[str, Any] = {}
    for key, value in cast(dict[str, Any], event).items():
        found[key] = _without(key, value, veil) if isinstance(value, str | dict | list | AnnotatedValue) else value
    return cast(Event, found)


def _without(key: object, value: Any, veil: Veil) -> Any:
    if isinstance(value, dict):
        value = _frame(value) if "lineno" in value else value
        covers = key == "vars"
        return {
            veil(name) if isinstance(name, str) else name: MASK
            if covers and veil.covers(name)
            else _without(name, item, veil)
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_without(key, item, veil) for item in value]
    if isinstance(value, AnnotatedValue):
        return AnnotatedValue(_without(key, value.value, veil), value.metadata)
    return value if key in _KEPT else _plain_without(value, veil)


def _plain_without(value: Any, veil: Veil) -> Any:
    if value is None or isinstance(value, bool | datetime | Enum):
        return value
    if isinstance(value, int | float):
        return MASK if str(value) in veil.values else value
    return veil(value if isinstance(value, str) else safe_repr(value))


def _frame(frame: dict[str, Any]) -> dict[str, Any]:
    """A frame of ours is not the app's, and its variables hold the whole job."""
    if not str(frame.get("module") or "").startswith(_OURS):
        return frame
    return {**{name: value for name, value in frame.items() if name != "vars"}, "in_app": False}
