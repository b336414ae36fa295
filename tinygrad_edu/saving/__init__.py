"""Saving and loading: models, optimizers and whole checkpoints, as plain .npz files."""

from __future__ import annotations

import copy
import os
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinygrad_edu.files import write_whole
from tinygrad_edu.saving.state_dict import load_state_dict, to_state_dict

if TYPE_CHECKING:
    from tinygrad_edu.saving.archive import Archive, Header
    from tinygrad_edu.saving.entries import Change, Entry, Walk

__all__ = ["load", "load_state_dict", "save", "to_state_dict"]


def save(what: Any, path: str | Path) -> None:
    """Write a model, an optimizer, or a dict of what a run needs, to one .npz file.

    A Module gives its parameters and `buffers`; an Optimizer its settings, steps and what it
    remembers, but not the parameters; a DataLoader or numpy.random.Generator the state of its
    random numbers. A dict or list may hold these, leaves, arrays and numbers; its keys come before
    the names, as in `model.layers.0.weight`. The file has exactly the name given and is
    written atomically. Identical content gives identical bytes; `numpy.load` reads them. TypeError
    for what cannot be saved, ValueError for names that clash, OSError from the disk: an older file
    is then unchanged.
    """
    from tinygrad_edu.saving.archive import check_directory, write_archive
    from tinygrad_edu.saving.entries import Walk

    _check_order("save", what)
    entries = Walk("save", what).entries
    check_directory(entries)
    arrays = {name: entry.array for name, entry in entries.items()}
    write_whole(path, lambda file: write_archive(file, arrays.items()), lasting=True)


def load(what: Any, path: str | Path, *, allow_extra: bool = False) -> None:
    """Take what `save` wrote into a model, an optimizer, or a dict made as when it was saved.

    All names, dtypes, shapes and sizes are checked first: if anything is wrong, ValueError or
    OSError says what, and nothing has changed. Parameters get new `data` and a gradient of 0;
    optimizers their settings too; numbers and arrays in a dict or list are replaced. A list of
    numbers may get another length. `allow_extra` ignores what else is in the file. Files are
    untrusted: unlike a pickle, a file may come from anybody. Nothing in it is run, and it takes no
    more memory than `what` needs.
    """
    from tinygrad_edu.saving.archive import open_archive
    from tinygrad_edu.saving.entries import Walk, commit

    _check_order("load", what)
    with open_archive(os.fsdecode(path)) as archive:
        walk = Walk("load", what, archive.names)
        _check_names(archive, walk.entries, allow_extra)
        headers = _checked_headers(archive, walk.entries.values())
        arrays = {name: archive.array(name, header) for name, header in headers.items()}
    changes: list[Change] = []
    for name, entry in walk.entries.items():
        changes += entry.changes(arrays[name])
    _check_settings(walk, changes, archive.shown)
    commit(changes)


def _check_order(operation: str, what: Any) -> None:
    if isinstance(what, str | os.PathLike):
        raise TypeError(f"{operation}: the model comes first, as in {operation}(model, path)")


def _check_names(archive: Archive, wanted: Collection[str], allow_extra: bool) -> None:
    """ValueError unless the file has all names that are wanted and, unless allowed, no more."""
    missing = [name for name in wanted if name not in archive.names]
    extra = [name for name in archive.names if name not in wanted]
    if not missing and (allow_extra or not extra):
        return
    said = []
    if missing:
        said.append(f"it has no {_first_names(missing)}")
    if extra:
        from tinygrad_edu.saving.archive import cut_short

        said.append(f"nothing here has the name {_first_names(list(map(cut_short, extra)))}")
    cure = "rebuild it exactly as when it was saved"
    if missing:
        ending = "." + missing[0]
        prefixes = {name.removesuffix(ending) for name in extra if name.endswith(ending)}
        if name := min(filter(str.isidentifier, prefixes), default=""):
            cure = f'the file\'s names start with "{name}."; use load({{"{name}": ...}}, path)'
    if extra:
        cure += ", and allow_extra=True leaves the rest of a file unread"
    raise ValueError(f"load: {archive.shown} does not fit: {', and '.join(said)}; {cure}")


def _first_names(names: list[str]) -> str:
    """The first names of many."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _checked_headers(archive: Archive, entries: Iterable[Entry]) -> dict[str, Header]:
    """The headers of all members that are wanted; ValueError unless each of them fits."""
    headers: dict[str, Header] = {}
    wrong = []
    for entry in entries:
        header = headers[entry.name] = archive.header(entry.name)
        problem = _misfit(entry, header)
        if problem:
            wrong.append(f"{entry.name} {problem}")
    if wrong:
        raise ValueError(
            f"load: {archive.shown} does not fit: {_first_names(wrong)}; rebuild it with the "
            "widths and the dtype with which it was saved"
        )
    for entry in entries:
        archive.check_size(entry.name, headers[entry.name])
        if entry.any_length and archive.names[entry.name].file_size > archive.size:
            raise ValueError(
                f"load: {entry.name} in {archive.shown} would be larger than the file; write it "
                "with numpy.savez, which does not pack it"
            )
    return headers


def _misfit(entry: Entry, header: Header) -> str:
    """What is wrong with an array of a file for an entry; nothing if it fits."""
    from tinygrad_edu.saving.archive import descr_of, dtype_in_words

    shape = entry.array.shape
    fits = (entry.any_length and len(header.shape) == 1) or (entry.or_number and not header.shape)
    if header.shape != shape and not fits:
        return f"has shape {header.shape} in the file, but {shape} here"
    if header.descr not in entry.dtypes:
        here = dtype_in_words(descr_of(entry.array.dtype))
        return f"is {dtype_in_words(header.descr)} in the file, but {here} here"
    return ""


def _check_settings(walk: Walk, changes: list[Change], shown: str) -> None:
    """ValueError unless the optimizers may have the settings that they are about to get."""
    from tinygrad_edu.saving.entries import Attribute

    trials = {id(optimizer): copy.copy(optimizer) for optimizer in walk.optimizers}
    for setter, new, _ in changes:
        if isinstance(setter, Attribute) and id(setter.owner) in trials:
            setattr(trials[id(setter.owner)], setter.name, new)
    for trial in trials.values():
        try:
            trial.check_settings()
        except (ValueError, TypeError) as error:
            raise ValueError(f"load: {shown} has settings that make no sense: {error}") from error
