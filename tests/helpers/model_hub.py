"""A loopback server that takes and gives model repositories as the Hugging Face hub does."""

import base64
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

TOKEN, READ_ONLY = "hf_writes", "hf_reads"  # both of the user `ada`
_ID = r"([\w.-]+/[\w.-]+)"


@dataclass
class Repository:
    """Commits of a repository, the latest last, each with all of its files."""

    private: bool = False
    gated: bool = False
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)

    def add(self, files: dict[str, bytes]) -> str:
        """Commit files on top of those that are there."""
        whole = {**(self.commits[-1][1] if self.commits else {}), **files}
        number = f"{len(self.commits)}{sorted(whole)}{id(self)}"
        sha = hashlib.sha1(number.encode()).hexdigest()
        self.commits.append((sha, whole))
        return sha

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The commit that a branch or a hash names."""
        if revision == "main":
            return self.commits[-1]
        return next((one for one in self.commits if one[0] == revision), None)


class ModelHub:
    """The server's repositories and manners; `requests` are its methods and paths."""

    def __init__(self) -> None:
        self.repos: dict[str, Repository] = {}
        self.requests: list[tuple[str, str]] = []
        self.trouble: tuple[str, int] | None = None  # part of a path, and the status it gets
        self.uploads_lfs = False  # files of weights go by LFS, as on the hub
        self.silent_at: str | None = None  # part of a path that is never answered
        self.refuses_card = False
        self.garbled = ""  # name of a file that comes damaged
        self.stored: dict[str, bytes] = {}  # of LFS, by hash
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self})
        )
        self._server.daemon_threads = True
        self.closing = threading.Event()
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "ModelHub":
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def made(self, name: str, files: dict[str, bytes] | None = None, **facts: Any) -> Repository:
        """A repository that is there, with these files."""
        repo = self.repos[name] = Repository(**facts)
        repo.add({".gitattributes": b"", **(files or {})})
        return repo

    def use(self, monkeypatch: pytest.MonkeyPatch, folder: Path, token: str | None = TOKEN) -> None:
        """Have the client libraries of this process ask this hub, as a user with this token."""
        from huggingface_hub import constants

        from speedrun.data.hub import client

        monkeypatch.setattr(constants, "ENDPOINT", self.endpoint)
        template = self.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "no-token"))
        monkeypatch.setattr(client._State, "token_refused", None)
        for name in ("HF_HUB_OFFLINE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        if token is not None:
            monkeypatch.setenv("HF_TOKEN", token)


class _Handler(BaseHTTPRequestHandler):
    hub: ModelHub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None: ...

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append((self.command, path))
        if self.hub.silent_at is not None and self.hub.silent_at in path:
            self.hub.closing.wait(20)
            self.close_connection = True
            return None
        trouble = self.hub.trouble
        if trouble is not None and trouble[0] in path:
            return self._send(trouble[1], b"{}")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in ("", TOKEN, READ_ONLY):
            return self._send(401, b"{}")
        is_write = self.command in ("POST", "PUT") and "/lfs-store/" not in path
        if is_write and token != TOKEN:
            return self._send(403 if token else 401, b"{}")
        for pattern, answer in _ROUTES.items():
            if match := re.fullmatch(pattern, path):
                return answer(self, body, *match.groups())
        return self._send(404, b"{}")

    do_GET = do_HEAD = do_POST = do_PUT = _answer

    def _whoami(self, body: bytes) -> None:
        is_user = "Authorization" in self.headers
        self._json({"name": "ada"}) if is_user else self._send(401, b"{}")

    def _create(self, body: bytes) -> None:
        wanted = json.loads(body)
        name = f"{wanted['organization']}/{wanted['name']}"
        if wanted["organization"] != "ada":
            return self._send(403, b"{}")
        if name in self.hub.repos:
            return self._send(409, b"{}")
        self.hub.made(name, private=wanted.get("visibility") == "private")
        return self._json({"url": f"{self.hub.endpoint}/{name}"})

    def _valid(self, body: bytes) -> None:
        assert json.loads(body)["content"].startswith("---\n")
        if not self.hub.refuses_card:
            return self._json({"errors": [], "warnings": []})
        errors = [{"message": '"license" must be one of [mit]\nand so on'}]
        return self._send(400, json.dumps({"errors": errors, "warnings": []}).encode())

    def _preupload(self, body: bytes, name: str) -> None:
        def mode(path: str) -> str:
            is_lfs = self.hub.uploads_lfs and path.endswith((".safetensors", ".png"))
            return "lfs" if is_lfs else "regular"

        files = json.loads(body)["files"]
        answers = [
            {"path": f["path"], "uploadMode": mode(f["path"]), "shouldIgnore": False} for f in files
        ]
        self._json({"files": answers})

    def _commit(self, body: bytes, name: str) -> None:
        lines = [json.loads(line) for line in body.splitlines()]
        repo, files = self.hub.repos[name], {}
        parent = lines[0]["value"].get("parentCommit")
        if parent is not None and parent != repo.commits[-1][0]:
            return self._send(412, b"{}")
        for line in lines[1:]:
            value = line["value"]
            is_lfs = line["key"] == "lfsFile"
            files[value["path"]] = (
                self.hub.stored[value["oid"]] if is_lfs else base64.b64decode(value["content"])
            )
        sha = repo.add(files)
        url = f"{self.hub.endpoint}/{name}/commit/{sha}"
        return self._json({"commitUrl": url, "commitOid": sha})

    def _batch(self, body: bytes, name: str) -> None:
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.hub.endpoint}/lfs-store/{one['oid']}"}}}
            for one in json.loads(body)["objects"]
        ]
        self._json({"transfer": "basic", "objects": objects})

    def _store(self, body: bytes, oid: str) -> None:
        assert hashlib.sha256(body).hexdigest() == oid
        self.hub.stored[oid] = body
        self._json({})

    def _found(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """The files at a revision; else the answer is sent."""
        repo = self.hub.repos.get(name)
        may_read = repo is not None and (
            not repo.private or self.headers.get("Authorization") == f"Bearer {TOKEN}"
        )
        if repo is None or not may_read:
            code = 401 if "Authorization" not in self.headers else 404
            self._send(code, b"{}", {"X-Error-Code": "RepoNotFound"})
            return None
        if (found := repo.at(revision)) is None:
            self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        return found

    def _info(self, body: bytes, name: str, revision: str | None = None) -> None:
        if (found := self._found(name, revision or "main")) is not None:
            repo = self.hub.repos[name]
            siblings = [{"rfilename": n, "size": len(c)} for n, c in found[1].items()]
            facts = {"private": repo.private, "gated": repo.gated, "disabled": False}
            named = {"_id": "0", "id": name, "sha": found[0], "tags": [], "siblings": siblings}
            self._json(named | facts | {"downloads": 0, "likes": 0})

    def _file(self, body: bytes, name: str, revision: str, file: str) -> None:
        if (found := self._found(name, revision)) is None:
            return None
        if self.hub.repos[name].gated:
            return self._send(403, b"{}", {"X-Error-Code": "GatedRepo"})
        if file not in found[1]:
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        content = found[1][file]
        if file == self.hub.garbled:
            content = content[:-1] + bytes([content[-1] ^ 1])
        etag = f'"{hashlib.sha1(content).hexdigest()}"'
        return self._send(200, content, {"X-Repo-Commit": found[0], "ETag": etag})

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


_ROUTES: dict[str, Any] = {
    "/api/whoami-v2": _Handler._whoami,
    "/api/repos/create": _Handler._create,
    "/api/validate-yaml": _Handler._valid,
    f"/api/models/{_ID}/preupload/main": _Handler._preupload,
    f"/api/models/{_ID}/commit/main": _Handler._commit,
    rf"/{_ID}\.git/info/lfs/objects/batch": _Handler._batch,
    r"/lfs-store/(\w+)": _Handler._store,
    f"/api/models/{_ID}": _Handler._info,
    f"/api/models/{_ID}/revision/(.+)": _Handler._info,
    f"/{_ID}/resolve/([^/]+)/(.+)": _Handler._file,
}
