"""The archive in S3-compatible storage: addresses and keys come from the AWS_ variables of the environment.

Needs the extra `parvis[s3]`. An upload becomes visible when it is complete, so nobody sees a part of a file.
"""

import contextlib
import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Any

import obstore
from fsspec import AbstractFileSystem
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from parvis.broker.ports.archive import ArchiveFileGone
from parvis.kernel.time import from_datetime
from parvis.stores.archive.scratch import sweep
from parvis.stores.archive.storage import CHUNK_BYTES, ArchiveUnreachable, StoredFile, reachable_scratch

PROTOCOL = "parvis-archive"
REQUEST_TIMEOUT = "30s"
RETRIES = 3
REMEMBERED_FILES = 16_384
SENT_AT_ONCE = 8


class BucketStorage:
    """`prefix` begins every key. Files being made lie in the local folder `scratch_parent`."""

    def __init__(self, bucket: str, prefix: str, scratch_parent: Path) -> None:
        self._store = S3Store(
            bucket,
            prefix=prefix or None,
            client_options={"timeout": REQUEST_TIMEOUT, "allow_http": True},
            retry_config={"max_retries": RETRIES},
        )
        self._scratch_parent = scratch_parent
        self.file_system = BucketFiles(self._store)

    def locate(self, path: str) -> str:
        return f"{PROTOCOL}://{path}"

    def scratch(self) -> contextlib.AbstractContextManager[Path]:
        return reachable_scratch(self._scratch_parent)

    def sweep_scratch(self) -> int:
        return sweep(self._scratch_parent)

    def publish(self, made: Path, path: str) -> None:
        with _unreachable(path):
            obstore.put(self._store, path, made)

    def publish_all(self, files: Sequence[tuple[Path, str]]) -> None:
        with ThreadPoolExecutor(SENT_AT_ONCE) as pool:
            list(pool.map(lambda one: self.publish(*one), files))

    def find_size(self, path: str) -> int | None:
        try:
            with _unreachable(path):
                return int(obstore.head(self._store, path)["size"])
        except ArchiveFileGone:
            return None

    def read(self, path: str) -> Iterator[bytes]:
        with _unreachable(path):
            for piece in obstore.get(self._store, path).stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(piece)

    def delete(self, path: str) -> None:
        with contextlib.suppress(ArchiveFileGone), _unreachable(path):
            obstore.delete(self._store, path)

    def list(self, folder: str = "") -> Iterator[StoredFile]:
        with _unreachable(folder):
            for page in obstore.list(self._store, folder or None):
                for one in page:
                    yield StoredFile(one["path"], one["size"], from_datetime(one["last_modified"]))


class BucketFiles(AbstractFileSystem):  # type: ignore[misc]
    """What DuckDB asks of a file system, over the same store. A file never changes: it is asked about once."""

    protocol = PROTOCOL
    cachable = False

    def __init__(self, store: S3Store) -> None:
        super().__init__()
        self._store = store
        self._ask = lru_cache(maxsize=REMEMBERED_FILES)(self._info)

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        return self._ask(self._strip_protocol(path))

    def modified(self, path: str) -> Any:
        return self.info(path)["modified"]

    def glob(self, path: str, **options: Any) -> list[str]:
        """Names come from the catalogue: they stand for themselves."""
        return [self._strip_protocol(path)]

    def _info(self, name: str) -> dict[str, Any]:
        found = obstore.head(self._store, name)
        return {"name": name, "size": found["size"], "type": "file", "modified": found["last_modified"]}

    def _open(self, path: str, mode: str = "rb", **options: Any) -> "BucketFile":
        if mode != "rb":
            raise ValueError("the archive's files are only read here")
        name = self._strip_protocol(path)
        return BucketFile(self._store, name, self._ask(name)["size"])


class BucketFile(io.RawIOBase):
    """Reads ranges, one request each; DuckDB keeps what it has read."""

    def __init__(self, store: S3Store, name: str, size: int) -> None:
        super().__init__()
        self._store = store
        self._name = name
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = min(max(0, start + offset), self._size)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        left = self._size - self._position
        length = left if size is None or size < 0 else min(size, left)
        if not length:
            return b""
        piece = bytes(obstore.get_range(self._store, self._name, start=self._position, length=length))
        self._position += len(piece)
        return piece


@contextlib.contextmanager
def _unreachable(path: str) -> Iterator[None]:
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise ArchiveFileGone(f"The archive's file {path} is not there.") from error
    except (BaseError, OSError) as error:
        raise ArchiveUnreachable(f"The archive's storage does not answer ({type(error).__name__}).") from error
