"""Holds what an app declares against what is locked: what is new, what is allowed, and what breaks whom."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import msgspec

from postroom.contracts.breaks import FIXES_OF_TASKS, Break, Kind, Whom
from postroom.contracts.compare import compare, compare_nodes
from postroom.contracts.contract import MESSAGE, TASK, Contract
from postroom.contracts.lock import Entry, Key, Lock, Version
from postroom.contracts.modes import DEFAULT, Mode
from postroom.contracts.samples import STRANGE, golden, variants, with_extras
from postroom.contracts.schema import Document, normal, shape
from postroom.jobs.errors import ConfigError


class Status(StrEnum):
    """How a contract stands to the lock."""

    LOCKED = "locked"
    """As it is there."""
    NEW = "new"
    """Not there yet."""
    CHANGED = "changed"
    """A version that is not there yet, and that its mode allows."""
    BREAKING = "breaking"
    """Its mode does not allow it."""
    RETIRED = "retired"
    """Gone, with notice."""


@dataclass(frozen=True)
class Judgement:
    """What is to be said of one contract."""

    key: Key
    status: Status
    mode: Mode
    version: int
    breaks: Sequence[Break] = ()
    added: Entry | None = None
    """What the lock would say of it, where that is more than it says."""


@dataclass(frozen=True)
class Wishes:
    """What the caller asks for besides, each for names."""

    modes: Mapping[str, Mode] = field(default_factory=dict)
    """'' for all others."""
    samples: Mapping[str, Any] = field(default_factory=dict)
    retire: Collection[str] = ()


def judge(found: Iterable[Contract], lock: Lock, wishes: Wishes) -> list[Judgement]:
    """What is to be said of each contract that the app declares or the lock has, by name.

    Raises:
        ConfigError: a wish is for a name that nobody has, or no sample can be made of a schema.
    """
    declared = {(contract.kind, contract.name): contract for contract in found}
    names = {name for _, name in (*declared, *lock.entries)}
    for name in (*wishes.modes, *wishes.samples, *wishes.retire):
        if name and name not in names:
            raise ConfigError(
                f"no task and no message is called {name!r}: there are {', '.join(sorted(names)) or 'none'}"
            )
    for name in wishes.retire:
        if name in {known for _, known in declared}:
            raise ConfigError(f"{name!r} is still declared: take it out of the code first, then retire it")
    judged = [_judge(contract, key, lock.entries.get(key), wishes) for key, contract in declared.items()]
    judged += [
        _absent(key, entry, wishes) for key, entry in lock.entries.items() if key not in declared and entry.versions
    ]
    return sorted(judged, key=lambda one: one.key)


def updated(lock: Lock, judged: Iterable[Judgement]) -> Lock:
    """The lock with what is new and allowed."""
    allowed = (one for one in judged if one.status is not Status.BREAKING)
    return lock.but({one.key: one.added for one in allowed if one.added is not None})


def _judge(contract: Contract, key: Key, entry: Entry | None, wishes: Wishes) -> Judgement:
    schema = normal(contract.schema)
    locked = entry or Entry(())
    mode = _mode(key, locked, wishes)
    known = {version.version: version for version in locked.versions}
    last = locked.versions[-1] if locked.versions else None
    number = contract.version
    if number is None:
        number = 1 if last is None else last.version + (shape(last.schema) != shape(schema))
    edited = locked.edited(key)
    if edited is not None:
        return Judgement(key, Status.BREAKING, mode, number, [_edited(edited)])
    breaks = list(_version(number, known, schema)) if contract.version is not None else []
    history = [version for version in locked.versions if version.version < number]
    new = Version(number, schema, None, min_reader=contract.min_reader)
    if not breaks and mode is not Mode.NONE:
        breaks = [*_compared(contract, new, history, mode), *_reserved(new, history)]
    added, status = None, Status.LOCKED
    if number not in known:
        new, faults = _with_sample(contract, new, wishes)
        breaks += faults
        added, status = locked.with_version(key, new), Status.CHANGED if known else Status.NEW
    elif not breaks:
        breaks += _read(contract, known[number], as_it_is=True)
    if locked.retired and added is None:
        added, status = msgspec.structs.replace(locked, retired=False), Status.CHANGED
    if mode is not locked.mode:
        added = msgspec.structs.replace(added or locked, mode=mode)
    if contract.kind == TASK:
        breaks = [replace(one, fix=FIXES_OF_TASKS.get((one.kind, one.whom), one.fix)) for one in breaks]
    return Judgement(key, Status.BREAKING if breaks else status, mode, number, _once(breaks), added)


def _mode(key: Key, locked: Entry, wishes: Wishes) -> Mode:
    fallback = locked.mode if locked.versions else DEFAULT
    return wishes.modes.get(key[1], wishes.modes.get("", fallback))


def _absent(key: Key, entry: Entry, wishes: Wishes) -> Judgement:
    number = entry.versions[-1].version
    edited = entry.edited(key)
    if edited is not None:
        return Judgement(key, Status.BREAKING, entry.mode, number, [_edited(edited)])
    if entry.retired:
        return Judgement(key, Status.RETIRED, entry.mode, number)
    if key[1] in wishes.retire:
        return Judgement(key, Status.RETIRED, entry.mode, number, added=msgspec.structs.replace(entry, retired=True))
    change = "it is no longer declared: what is under way of it will not be read"
    fix = f"declare it until nothing of it is left (--against tells), then: --retire {key[1]} --update"
    return Judgement(key, Status.BREAKING, entry.mode, number, [Break(Kind.GONE, change, fix, Whom.NEW)])


def _edited(version: int) -> Break:
    change = f"version {version} in the lock is not what was locked: its digest does not fit"
    return Break(Kind.CHANGED, change, "restore the file from the last good commit; a change is a new version")


def _version(number: int, known: Mapping[int, Version], schema: Any) -> Iterator[Break]:
    """Versions that a declaration numbers itself."""
    newest = max(known, default=0)
    if number < newest:
        change = f"version {number} is declared, and the lock has version {newest}"
        yield Break(Kind.VERSION, change, f"declare version {newest}, or a later one")
    elif number in known and shape(known[number].schema) != shape(schema):
        change = f"version {number} was locked with another schema: readers rely on it"
        yield Break(Kind.VERSION, change, f"leave version {number} as it was and declare version {number + 1}")


def _compared(contract: Contract, new: Version, history: Sequence[Version], mode: Mode) -> Iterator[Break]:
    counted = history if mode.transitive else history[-1:]
    for old in counted:
        if mode.backward and contract.reads(old.version):
            yield from _upcast(contract, old, new)
        elif mode.backward:
            breaks = compare(old.schema, new.schema, Whom.NEW)
            yield from (one.between(old.version, new.version) for one in breaks or _read(contract, old))
        if mode.forward and old.version >= new.min_reader:
            breaks = compare(new.schema, old.schema, Whom.OLD)
            yield from (one.between(new.version, old.version) for one in breaks)


def _upcast(contract: Contract, old: Version, new: Version) -> Iterator[Break]:
    """An upcast is code: it is proven by documents, one for each alternative that the old schema has."""
    if _read(contract, old):
        yield from (one.between(old.version, new.version) for one in _read(contract, old))
        return
    for document in _variants(old.schema):
        try:
            contract.decode(contract.upcast(document, old.version))
        except Exception as error:  # whatever a user's upcast raises
            change = f"upcast, {msgspec.json.encode(document).decode()[:200]} is not read: {_line(error)}"
            yield Break(Kind.SAMPLE, change, "let the @upcast make it a document of today", Whom.NEW).between(
                old.version, new.version
            )
            return


def _variants(schema: Any) -> Iterator[Any]:
    try:
        yield from variants(schema)
    except ConfigError:  # none can be made: then the golden sample, which was given, is all there is
        return


def _read(contract: Contract, old: Version, *, as_it_is: bool = False) -> list[Break]:
    """Does today's code read a version's golden sample, and keep what it does not know?

    Args:
        as_it_is: the sample is of the version that the code declares.
    """
    fix = "make today's class, or an @upcast, read it: messages like it are under way"
    try:
        document = old.sample if as_it_is else contract.upcast(old.sample, old.version)
        contract.decode(document)
        if as_it_is:
            contract.decode(contract.returned(document))
    except Exception as error:  # whatever a user's class, an upcast or a downcast raises
        return [Break(Kind.SAMPLE, f"its golden sample is not read: {_line(error)}", fix, Whom.NEW)]
    richer = with_extras(normal(contract.schema), document)
    if contract.kind != MESSAGE or not isinstance(richer, dict):
        return []
    try:
        kept = contract.republish(richer)
    except Exception as error:
        return [Break(Kind.SAMPLE, f"a field that is not known stops it: {_line(error)}", fix, Whom.NEW)]
    lost = list(_lost(richer, kept, "$"))
    fix = "let the class keep what it does not know"
    return [Break(Kind.SAMPLE, "it is lost where a reader sends the message on", fix, Whom.NEW, at) for at in lost]


def _lost(sent: Any, kept: Any, path: str) -> Iterator[str]:
    """The paths of the fields of a later version that are not there any more."""
    if isinstance(sent, dict):
        for name, value in sent.items():
            here = f"{path}.{name}"
            if not isinstance(kept, dict) or (name == STRANGE and name not in kept):
                yield here
            elif name in kept:
                yield from _lost(value, kept[name], here)
    elif isinstance(sent, list) and isinstance(kept, list):
        for value, other in zip(sent, kept, strict=False):
            yield from _lost(value, other, f"{path}[]")


def _with_sample(contract: Contract, new: Version, wishes: Wishes) -> tuple[Version, list[Break]]:
    given = contract.name in wishes.samples
    try:
        sample = wishes.samples[contract.name] if given else golden(new.schema)
    except ConfigError as error:
        raise ConfigError(f"{contract.kind} {contract.name}: {error}") from error
    new = msgspec.structs.replace(new, sample=sample)
    faults = _read(contract, new, as_it_is=True)
    if faults and not given:
        fix = f"give one that is: --sample {contract.name}=FILE"
        faults = [replace(one, fix=fix) for one in faults]
    return new, faults


def _reserved(new: Version, history: Sequence[Version]) -> Iterator[Break]:
    """A name that was taken away may come back as what it was, and not as anything else, in any mode."""
    fields = new.schema.get("properties", {})
    for version in (new, *reversed(history)):
        for name in version.schema.get("x-reserved", ()):
            if name in fields:
                change = f"version {version.version} reserves this name"
                yield Break(Kind.RESERVED, change, "choose a name that was never used", Whom.NEW, f"$.{name}")
    if not history:
        return
    document = Document(new.schema)
    back = document.fields()
    for name in Document(history[-1].schema).fields():
        back.pop(name, None)
    for old in history[:-1]:
        past = Document(old.schema)
        known = past.fields()
        for path in sorted(back.keys() & known.keys()):
            if compare_nodes((past, known[path]), (document, back[path]), Whom.NEW):
                change = f"version {old.version} had it as something else, and it was taken away since"
                yield Break(Kind.RESERVED, change, "choose a name that was never used", Whom.NEW, path).between(
                    old.version, new.version
                )


def _once(breaks: Sequence[Break]) -> list[Break]:
    """Of what several versions break in the same way, the newest."""
    found = {(one.path, one.kind, one.change, one.whom): one for one in breaks}
    reserved = {one.path for one in breaks if one.kind is Kind.RESERVED}
    return [one for one in found.values() if one.kind is Kind.RESERVED or one.path not in reserved]


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".partition("\n")[0][:300]
