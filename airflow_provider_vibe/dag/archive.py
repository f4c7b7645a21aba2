"""The snapshots of a bundle where every machine can read them."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from airflow_provider_vibe.dag.snapshots import (
    SnapshotError,
    pack,
    remove_snapshot,
    sweep_drafts,
    unpack,
    write_whole,
)
from airflow_provider_vibe.dag.unfinished import versions_in_use
from airflow_provider_vibe.plan.problems import quoted

log = logging.getLogger(__name__)

LOOK_SECONDS = 300.0
"""So often it is looked whether the current version is still kept."""


class SnapshotArchive:
    """Keeps the snapshot of each version of a bundle, and gives it to machines that lack it.

    :param bundle_name: the bundle; its snapshots have a folder of their own.
    :param url: an absolute path or an object storage URL; None: ``vibe_snapshots`` in AIRFLOW_HOME.
    :param keep_most: how many are kept besides those that runs are known to need.
    :raises SnapshotError: a value makes no sense.
    """

    def __init__(self, bundle_name: str, url: str | None, keep_most: int) -> None:
        self._bundle_name = bundle_name
        self._url = None if url is None else self._checked_url(url)
        if type(keep_most) is not int or keep_most < 0:
            raise SnapshotError(
                f"'keep' of bundle {quoted(bundle_name)} is {keep_most!r}: it must be a whole number, "
                "0 or more"
            )
        self._keep_most = keep_most
        self._looked = float("-inf")

    @property
    def url(self) -> str:
        """Where they are kept."""
        return str(self._root())

    def keep(self, version: str, snapshot: Path, before: str | None = None) -> None:
        """Keep the snapshot of a version, and forget the oldest ones, there and on this machine.

        :param version: the version.
        :param snapshot: its folder.
        :param before: the version before, which this process may still be asked for.
        :raises SnapshotError: they cannot be kept there.
        """
        with self._usable():
            self._put(version, snapshot)
            self._forget_oldest({version, before}, snapshot.parent)

    def look_after(self, version: str, snapshot: Path) -> None:
        """Keep the snapshot of a version anew when it is kept no more; looks only every few minutes.

        :param version: the version.
        :param snapshot: its folder.
        :raises SnapshotError: it cannot be kept there.
        """
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            with self._usable():
                self._put(version, snapshot)

    def fetch(self, version: str, target: Path) -> bool:
        """Make *target* the snapshot of a version; False when it is not kept.

        :param version: the version.
        :param target: the folder to make.
        :raises SnapshotError: what is kept is damaged.
        """
        with self._usable():
            source = self._root() / f"{version}.zip"
            if not source.exists():
                return False
            content = source.read_bytes()
        try:
            unpack(content, target)
        except SnapshotError as error:
            hint = "remove it; the dag-processor keeps its latest version anew within minutes"
            raise SnapshotError(f"cannot use the snapshot {source}: {error} ({hint})") from error
        return True

    def _checked_url(self, url: str) -> str:
        if isinstance(url, str):
            if "://" in url:
                return url
            path = Path(url).expanduser()
            if path.is_absolute():
                return f"file://{path}"
        raise SnapshotError(
            f"'snapshots' of bundle {quoted(self._bundle_name)} is {url!r}: it must be an absolute path or "
            "an object storage URL, the same place for every process"
        )

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        """Name the option when something is wrong; each kind of storage has its own errors."""
        try:
            yield
        except Exception as error:
            where = self._url or "vibe_snapshots in AIRFLOW_HOME"
            raise SnapshotError(
                f"cannot use 'snapshots' of bundle {quoted(self._bundle_name)}, {where}: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _root(self) -> Any:
        from airflow.configuration import AIRFLOW_HOME
        from airflow.sdk import ObjectStoragePath

        url = self._url or f"file://{Path(AIRFLOW_HOME, 'vibe_snapshots').absolute()}"
        return ObjectStoragePath(url) / self._bundle_name

    def _put(self, version: str, snapshot: Path) -> None:
        target = self._root() / f"{version}.zip"
        if not target.exists():
            self._upload(pack(snapshot), target)
        self._looked = time.monotonic()

    def _upload(self, packed: bytes, target: Any) -> None:
        """A reader sees the whole file or none: object stores write so; on a file system it is renamed."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.protocol == "file":
            local = Path(target.path)
            write_whole(local, packed)
            sweep_drafts(local.parent)
        else:
            target.write_bytes(packed)

    def _forget_oldest(self, in_use: set[str | None], snapshots: Path) -> None:
        there = self._surplus(self._root().glob("*.zip"), in_use)
        here = self._surplus((path for path in snapshots.glob("[!.]*") if path.is_dir()), in_use)
        needed = versions_in_use(self._bundle_name) if there or here else None
        if needed is None:
            return
        for version in (there.keys() | here.keys()) - needed:
            log.info("forgetting the snapshot %s of bundle %s", version, self._bundle_name)
            remove_snapshot(snapshots / version)
            if version in there:
                with contextlib.suppress(FileNotFoundError):
                    there[version].unlink()

    def _surplus(self, kept: Iterable[Any], in_use: set[str | None]) -> dict[str, Any]:
        """The oldest, by version; ``stem`` of a folder is its name too, as a version has no dots."""
        return {
            path.stem: path for path in sorted(kept, key=_age)[self._keep_most :] if path.stem not in in_use
        }


def _age(path: Any) -> float:
    """Seconds since some moment, the later the less; a file that has just gone is the oldest."""
    with contextlib.suppress(FileNotFoundError):
        return -float(path.stat().st_mtime)
    return float("inf")
