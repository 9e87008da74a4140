"""Payloads made wrong: in a few bytes, in length, in structure, and in ways that cost a careless decoder its memory."""

import random
from collections.abc import Callable, Sequence

LENGTHS = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"\x80", b"\xff" * 9 + b"\x01", b"\xfe" * 10)
"""What decoders take for lengths: huge, negative, endless."""
OPENERS = (
    *(b"[", b"{", b'{"a":', b"\x91", b"\x81\xa1a", b"\xdc\x00\x01", b"\xdd\x00\x00\x00\x01"),
    *(b"\xdd\x7f\xff\xff\xff", b"\x02"),
)
"""What begins something within something, in one codec or another."""

MOST = 200_000
"""Bytes of a payload: what large ones leave of the allocator's arenas would hide what is not given back."""

Mutation = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def flipped(dice: random.Random, data: bytes, __: Sequence[bytes]) -> bytes:
    """Some bits."""
    found = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        found[dice.randrange(len(found))] ^= 1 << dice.randrange(8)
    return bytes(found)


def overwritten(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A length that is none."""
    at = dice.randrange(len(data))
    said = dice.choice(LENGTHS)
    return data[:at] + said + data[at + dice.choice((0, len(said))) :]


def cut(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A piece is missing."""
    start, end = sorted(dice.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[end:]


def repeated(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A piece comes many times."""
    start, end = sorted(dice.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end] * dice.randint(1, 50) + data[end:]


def spliced(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """The head of one, the tail of another."""
    other = dice.choice(others)
    return data[: dice.randrange(len(data) + 1)] + other[dice.randrange(len(other) + 1) :]


def nested(dice: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Something within something, very deep."""
    at = dice.randrange(len(data) + 1)
    return data[:at] + dice.choice(OPENERS) * dice.choice((10, 1_000, 20_000)) + data[at:]


def anything(dice: random.Random, _: bytes, __: Sequence[bytes]) -> bytes:
    """Bytes of no meaning."""
    return dice.randbytes(dice.randint(0, 300))


MUTATIONS: Sequence[Mutation] = (flipped, flipped, overwritten, cut, repeated, spliced, nested, anything)


def mutated(dice: random.Random, payloads: Sequence[bytes]) -> bytes:
    """One of them, made wrong once or several times."""
    data = dice.choice(payloads)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        data = dice.choice(MUTATIONS)(dice, data or b"\x00", payloads)[:MOST]
    return data
