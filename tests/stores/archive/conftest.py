"""Storages of every kind: a folder, and a bucket of a server that speaks S3."""

import http.client
import logging
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from parvis.stores.archive.read import ArchiveReader
from parvis.stores.archive.storage import FolderStorage, Storage, open_storage
from tests.stores.archive.town import LIMITS

SECRET = "a-secret-that-is-told-nobody"


@pytest.fixture(scope="session")
def s3_server() -> Iterator[tuple[str, int]]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()


@pytest.fixture
def bucket_url(s3_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> str:
    """Of an empty bucket; the environment says where it is and who may use it."""
    host, port = s3_server
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "town")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    name = f"history-{uuid.uuid4().hex}"
    connection = http.client.HTTPConnection(host, port)
    connection.request("PUT", f"/{name}")
    assert connection.getresponse().status == 200
    connection.close()
    return f"s3://{name}/of/the/town"


@pytest.fixture
def bucket(bucket_url: str, tmp_path: Path) -> Storage:
    return open_storage(bucket_url, tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "archive")


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest) -> Storage:
    storage: Storage = request.getfixturevalue(request.param)
    return storage


@pytest.fixture
def reader(folder: FolderStorage) -> Iterator[ArchiveReader]:
    reader = ArchiveReader(folder, LIMITS)
    yield reader
    reader.close()
