"""Which weight files a plan fills, and with what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from compress_core.container import FilePlan, PartSpec
from compress_core.errors import UsageError
from compress_core.planning import Plan
from compress_core.sizes import human


def weight_files(plan: Plan, version: str) -> list[FilePlan]:
    """The weight files of the output: one; of a folder, as the source has them or sizes ask for.

    :param version: the tool's, for the record in a file.
    :raises UsageError: two parts would have the same name, or one file would be too large.
    """
    _refuse_collisions(plan)
    if not plan.source.path.is_dir():
        _check_single(plan)
        return [_file(plan, None, _stored(plan), version)]
    groups = _shards(plan)
    return [
        _file(plan, _name(plan.layout.stem, number, len(groups)), names, version)
        for number, names in enumerate(groups, start=1)
    ]


def slack(plan: Plan) -> int:
    """Bytes that one file may have beyond those of its plan while casts are open.

    Names of dtypes differ by a letter, which stands in the header and maybe in a layout's record;
    headers grow by eights.
    """
    is_open = sum(one.form.maybe is not None for one in plan.touched())
    return 2 * is_open + 7 if is_open else 0


def _stored(plan: Plan) -> list[str]:
    """Names of the tensors that stand in a file, in the order of the source."""
    return [name for name in plan.tensors if name not in plan.aliases]


def _refuse_collisions(plan: Plan) -> None:
    """An index names a part once, so names are compared over all files."""
    owner: dict[str, str] = {}
    for name, one in plan.tensors.items():
        # another name is none of a part: a reader could not tell them apart
        for part in plan.parts(one) or [name]:
            if part in owner:
                changed = name if one.form.touched else owner[part]
                raise UsageError(
                    f"two parts of the output would be called {part}",
                    where=f"{plan.source.path}  {name}",
                    hint=f"leave one of them alone: --ignore '{changed}'",
                )
            owner[part] = name


def _check_single(plan: Plan) -> None:
    limit, size = plan.spec.output.shard_size, _size(plan, plan.tensors)
    if limit is not None and size > limit:
        raise UsageError(
            f"{human(size)} of weights in one file, and shard_size is {human(limit)}",
            where=str(plan.source.path),
            hint="only a checkpoint folder is written in several files; drop shard_size",
        )


def _shards(plan: Plan) -> list[list[str]]:
    """Tensor names of each file."""
    limit = plan.spec.output.shard_size
    return _as_in_source(plan) if limit is None else _filled(plan, limit)


def _as_in_source(plan: Plan) -> list[list[str]]:
    by_shard: dict[str, list[str]] = {}
    for name in _stored(plan):
        by_shard.setdefault(plan.source.shards[name], []).append(name)
    return [by_shard[shard] for shard in sorted(by_shard)] or [[]]


def _filled(plan: Plan, limit: int) -> list[list[str]]:
    """Files of at most ``limit`` bytes of tensors, in the source's order; a tensor is never cut."""
    groups: list[list[str]] = [[]]
    room = limit
    for name in _stored(plan):
        size = _size(plan, [name])
        if size > room and groups[-1]:
            groups.append([])
            room = limit
        groups[-1].append(name)
        room -= size
    return groups


def _size(plan: Plan, names: Iterable[str]) -> int:
    return sum(part.nbytes for name in names for part in plan.parts(plan.tensors[name]).values())


def _name(stem: str, number: int, count: int) -> str:
    return (
        f"{stem}.safetensors" if count == 1 else f"{stem}-{number:05d}-of-{count:05d}.safetensors"
    )


def _file(plan: Plan, file_name: str | None, names: list[str], version: str) -> FilePlan:
    chosen = [plan.tensors[name] for name in names]
    parts: dict[str, PartSpec] = {}
    for one in chosen:
        parts |= plan.parts(one)
    touched = {one.info.name: (one.info, one.form) for one in chosen if one.form.touched}
    aliases = {name: owner for name, owner in plan.aliases.items() if owner in set(names)}
    strings = _source_metadata(plan, names)
    if touched or aliases:
        # neither a limit nor the name of a report may change the bytes that they are about
        done = replace(plan.spec, gates=(), report=(), gram=None)
        strings |= plan.layout.metadata(
            touched, aliases, done.config(), version, plan.plain_config, strings
        )
    return FilePlan(file_name, parts, strings)


def _source_metadata(plan: Plan, names: list[str]) -> dict[str, str]:
    """Metadata of the source's files that hold ``names``; among equal keys the first file's."""
    shards = dict.fromkeys(plan.source.shards[name] for name in names)
    strings: dict[str, str] = {}
    for shard in shards or plan.source.metadata:
        own = plan.source.metadata.get(shard, {})
        _note_clashes(plan, sorted(key for key in own if strings.get(key, own[key]) != own[key]))
        strings = {**own, **strings}
    return strings


def _note_clashes(plan: Plan, keys: list[str]) -> None:
    for key in keys:
        note = f"metadata of the shards differ in {key}: the first one is kept"
        if note not in plan.notes:
            plan.notes.append(note)
