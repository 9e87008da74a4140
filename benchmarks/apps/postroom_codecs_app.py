"""Postroom's no-op tasks that take an order, one for each codec, and one in JSON that takes it as it comes."""

from typing import Any

from benchmarks.apps.postroom_typed_app import Order
from postroom import Postroom
from postroom.jobs.codecs import CODECS

app = Postroom()
UNTYPED = "json, untyped"
NAMES = (UNTYPED, *CODECS)


@app.task(name=UNTYPED)
def untyped(order: Any) -> None:
    """Do nothing."""


for codec in CODECS:

    @app.task(name=codec, codec=codec)
    def typed(order: Order) -> None:
        """Do nothing."""
