"""A loopback server that answers like the Hugging Face hub for one data set of parquet shards."""

import io
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

REPO = "roneneldan/TinyStories"
# As on the hub: features and splits are declared, so that no file is opened to learn them.
README = """---
dataset_info:
  features:
  - name: text
    dtype: string
  splits:
  - name: train
    num_bytes: 1
    num_examples: {train}
  - name: validation
    num_bytes: 1
    num_examples: {validation}
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: validation
    path: data/validation-*
---
"""


@dataclass(frozen=True)
class Request:
    """One request that the hub received."""

    method: str
    path: str  # a file's name inside the repository for downloads, else the address
    num_bytes: int  # of the body that was sent


class FakeHub:
    """The server's files and manners; `requests` says who asked for what."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.requests: list[Request] = []
        self.trouble: int | str | None = None  # an error's status, "silent", or "drop"
        self.trouble_after = 0  # downloads that are answered before the trouble begins
        self.headers: dict[str, str] = {}  # sent along with errors
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._closing = threading.Event()

    def __enter__(self) -> "FakeHub":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def downloads(self) -> list[str]:
        """Names of the data files whose content was asked for, in the order of the first time."""
        named = [r.path for r in self.requests if r.method == "GET" and r.path in self.files]
        return [path for path in dict.fromkeys(named) if path.startswith("data/")]

    def current_trouble(self) -> int | str | None:
        """How to answer now; one that is silent is silent until the hub closes."""
        downloads = sum(r.method == "GET" and r.path.startswith("data/") for r in self.requests)
        if self.trouble is None or downloads < self.trouble_after:
            return None
        if self.trouble == "silent":
            self._closing.wait(60)
        return self.trouble


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away in the middle are what these tests are about."""


def shard(texts: list[str], rows_per_group: int) -> bytes:
    """A parquet file in memory with one string column `text`."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), buffer, row_group_size=rows_per_group)
    return buffer.getvalue()


def tinystories(
    train: list[list[str]], validation: list[str], rows_per_group: int = 10
) -> dict[str, bytes]:
    """The repository's files: README and shards in the hub's layout."""
    num_train = sum(len(texts) for texts in train)
    readme = README.format(train=num_train, validation=len(validation))
    files = {"README.md": readme.encode()}
    for number, texts in enumerate(train):
        files[f"data/train-{number:05d}-of-{len(train):05d}.parquet"] = shard(texts, rows_per_group)
    files["data/validation-00000-of-00001.parquet"] = shard(validation, rows_per_group)
    return files


@contextmanager
def black_hole() -> Iterator[str]:
    """The address of something that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def closed_port() -> str:
    """The address of something that refuses every connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, format: str, *args: object) -> None: ...

        def _answer(self) -> None:
            path = unquote(urlsplit(self.path).path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            trouble = hub.current_trouble()
            if isinstance(trouble, int):
                return self._send(trouble, b"{}", hub.headers, path)
            if trouble is not None:
                self.close_connection = True
                return None
            api = f"/api/datasets/{REPO}"
            if match := re.fullmatch(rf"/datasets/{REPO}/resolve/([^/]+)/(.+)", path):
                return self._file(match[1], match[2])
            if match := re.fullmatch(rf"{api}(?:/revision/([^/]+))?", path):
                return self._json(_info(hub.files, match[1] or "main"), path)
            if match := re.fullmatch(rf"{api}/tree/([^/]+)/?(.*)", path):
                return self._json(_tree(hub.files, match[2]), path)
            if re.fullmatch(rf"{api}/paths-info/([^/]+)", path):
                asked = parse_qs(body.decode()).get("paths", [])
                return self._json([_entry(hub.files, p) for p in asked if p in hub.files], path)
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, path)

        def _file(self, revision: str, name: str) -> None:
            if name not in hub.files:
                return self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, name)
            content, status = hub.files[name], 200
            headers = {"X-Repo-Commit": revision, "ETag": f'"{len(content)}"'}
            headers["Accept-Ranges"] = "bytes"
            if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or ""):
                first, last = int(match[1]), min(int(match[2] or len(content)), len(content) - 1)
                headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
                content, status = content[first : last + 1], 206
            return self._send(status, content, headers, name)

        def _json(self, value: Any, path: str) -> None:
            self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"}, path)

        def _send(self, status: int, body: bytes, headers: dict[str, str], path: str) -> None:
            sent = body if self.command != "HEAD" else b""
            hub.requests.append(Request(self.command, path, len(sent)))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

    return Handler


def _info(files: dict[str, bytes], revision: str) -> dict[str, Any]:
    return {
        "_id": "0",
        "id": REPO,
        "sha": revision,
        "private": False,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": [],
        "lastModified": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(0)),
        "siblings": [{"rfilename": name} for name in files],
    }


def _entry(files: dict[str, bytes], name: str) -> dict[str, Any]:
    return {"type": "file", "path": name, "size": len(files[name]), "oid": "0" * 40}


def _tree(files: dict[str, bytes], folder: str) -> list[dict[str, Any]]:
    inside = folder.rstrip("/") + "/" if folder else ""
    entries = [_entry(files, n) for n in files if n.startswith(inside)]
    folders = sorted({n.split("/")[0] for n in files if "/" in n}) if not folder else []
    return entries + [{"type": "directory", "path": f, "oid": "1" * 40} for f in folders]
