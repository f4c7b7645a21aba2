"""The snapshots of a bundle where every machine can read them."""

from __future__ import annotations

import contextlib
import logging
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
from airflow_provider_vibe.dag.unfinished import unfinished_runs

log = logging.getLogger(__name__)


class SnapshotArchive:
    """Keeps the snapshot of each version of a bundle, and gives it to machines that lack it.

    :param bundle_name: the bundle; its snapshots have a folder of their own.
    :param url: a path or an object storage URL; None: ``vibe_snapshots`` in AIRFLOW_HOME.
    :param keep_most: how many are kept besides those that an unfinished run is known to need.
    """

    def __init__(self, bundle_name: str, url: str | None, keep_most: int) -> None:
        self._bundle_name = bundle_name
        self._url = url
        self._keep_most = keep_most

    @property
    def url(self) -> str:
        """Where they are kept."""
        return str(self._root())

    def keep(self, version: str, snapshot: Path, before: str | None = None) -> None:
        """Keep the snapshot of a version, and forget the oldest ones, here and on this machine.

        :param version: the version.
        :param snapshot: its folder.
        :param before: the version before; Airflow may begin runs with it until it has parsed the new one.
        """
        target = self._root() / f"{version}.zip"
        if not target.exists():
            self._upload(pack(snapshot), target)
            self._forget_oldest({version, before}, snapshot.parent)

    def fetch(self, version: str, target: Path) -> bool:
        """Make *target* the snapshot of a version; False when it is not kept.

        :param version: the version.
        :param target: the folder to make.
        :raises SnapshotError: what is kept is damaged.
        """
        source = self._root() / f"{version}.zip"
        if not source.exists():
            return False
        try:
            unpack(source.read_bytes(), target)
        except SnapshotError as error:
            hint = "remove it; the dag-processor keeps its latest version anew when it is restarted"
            raise SnapshotError(f"cannot use the snapshot {source}: {error} ({hint})") from error
        return True

    def _root(self) -> Any:
        from airflow.configuration import AIRFLOW_HOME
        from airflow.sdk import ObjectStoragePath

        url = self._url or f"{AIRFLOW_HOME}/vibe_snapshots"
        if "://" not in url:
            url = f"file://{Path(url).absolute()}"
        return ObjectStoragePath(url) / self._bundle_name

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
        kept = sorted(self._root().glob("*.zip"), key=_age)
        surplus = [path for path in kept[self._keep_most :] if path.stem not in in_use]
        unfinished = unfinished_runs(self._bundle_name) if surplus else None
        if unfinished is None:
            return
        needed = {run.version for run in unfinished}
        for path in surplus:
            if path.stem not in needed:
                log.info("forgetting the snapshot %s of bundle %s", path.stem, self._bundle_name)
                remove_snapshot(snapshots / path.stem)
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()


def _age(path: Any) -> float:
    """Seconds since some moment, the later the less; a file that has just gone is the oldest."""
    with contextlib.suppress(FileNotFoundError):
        return -float(path.stat().st_mtime)
    return float("inf")
