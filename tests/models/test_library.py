"""Names become files: zoo, reference models (local, cached, downloaded), paths."""

import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from engine.errors import ModelError, ToolError, UsageError
from engine.models import download, library
from engine.models.library import Origin, list_models, resolve_model
from tests.models.small import one_conv

REFERENCES = ["mlperf-tiny/kws", "mlperf-tiny/ic", "mlperf-tiny/vww", "mlperf-tiny/ad", "mlperf-tiny/sww"]
CONTENT = one_conv().build()
MODELS = os.environ.get("WHYCYCLES_MODELS", "")
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.delenv("WHYCYCLES_MODELS", raising=False)
    monkeypatch.setenv("WHYCYCLES_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(library, "SOURCES", ("http://127.0.0.1:9/nothing",))


@pytest.fixture
def fake_kws(monkeypatch):
    """Pretends that the reference model kws is a small file of ours."""
    first, *others = library._REFERENCES
    monkeypatch.setattr(
        library, "_REFERENCES", (library._Reference(first.name, first.title, first.folder, first.file, SHA256), *others)
    )


class Server:
    """A web server that answers every path with one content and remembers the paths."""

    def __init__(self, content, status=200):
        self.paths = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.paths.append(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


def test_the_list_holds_zoo_and_references():
    models = {m.name: m for m in list_models()}
    assert {"kws", "ic", *REFERENCES} <= models.keys()
    assert models["kws"].origin is Origin.ZOO
    assert models["kws"].present
    assert models["mlperf-tiny/vww"].origin is Origin.REFERENCE
    assert not models["mlperf-tiny/vww"].present
    assert all(m.title and len(m.sha256) == 64 for m in models.values())


def test_zoo_models_resolve_to_their_committed_file():
    ref = resolve_model("kws")
    assert hashlib.sha256(ref.path.read_bytes()).hexdigest() == ref.sha256


def test_a_damaged_zoo_file_is_noticed(monkeypatch):
    monkeypatch.setattr(library, "digest", lambda path: "0" * 64)
    with pytest.raises(ModelError, match="is not kws"):
        resolve_model("kws")


@pytest.mark.usefixtures("fake_kws")
def test_references_are_found_in_the_models_folder_and_checked(tmp_path, monkeypatch):
    folder = tmp_path / "models" / "mlperf-tiny"
    folder.mkdir(parents=True)
    (folder / "kws_ref_model.tflite").write_bytes(CONTENT)
    monkeypatch.setenv("WHYCYCLES_MODELS", str(tmp_path / "models"))
    ref = resolve_model("mlperf-tiny/kws")
    assert ref.path == folder / "kws_ref_model.tflite"
    assert ref.origin is Origin.REFERENCE
    (folder / "kws_ref_model.tflite").write_bytes(CONTENT + b"\0")
    with pytest.raises(ModelError, match="SHA-256") as error:
        resolve_model("mlperf-tiny/kws")
    assert "WHYCYCLES_MODELS" in error.value.hint


@pytest.mark.usefixtures("fake_kws")
def test_references_are_downloaded_once(monkeypatch, tmp_path):
    with Server(CONTENT) as server:
        monkeypatch.setattr(library, "SOURCES", (server.url,))
        ref = resolve_model("mlperf-tiny/kws")
        assert resolve_model("mlperf-tiny/kws") == ref
        assert server.paths == ["/keyword_spotting/trained_models/kws_ref_model.tflite"]
        assert ref.path.read_bytes() == CONTENT
        assert ref.path.is_relative_to(tmp_path / "cache" / "models")
        # A damaged cache heals itself.
        ref.path.write_bytes(b"rubbish")
        assert resolve_model("mlperf-tiny/kws").path.read_bytes() == CONTENT
        assert len(server.paths) == 2
    assert [p.name for p in ref.path.parent.iterdir()] == [ref.path.name]


@pytest.mark.usefixtures("fake_kws")
def test_the_second_source_serves_where_the_first_does_not_hold_the_file(monkeypatch):
    with Server(b"no such page", status=404) as first, Server(CONTENT) as second:
        monkeypatch.setattr(library, "SOURCES", (first.url, second.url))
        assert resolve_model("mlperf-tiny/kws").path.read_bytes() == CONTENT
        assert len(first.paths) == 1


@pytest.mark.usefixtures("fake_kws")
def test_a_download_of_something_else_is_refused_and_leaves_nothing(monkeypatch, tmp_path):
    with Server(b"<html>log in first</html>") as server:
        monkeypatch.setattr(library, "SOURCES", (server.url,))
        with pytest.raises(ModelError, match="not the file it should be"):
            resolve_model("mlperf-tiny/kws")
    assert not list((tmp_path / "cache").rglob("*.*"))


def test_without_a_network_the_message_says_what_to_do():
    with pytest.raises(ToolError, match="could not be downloaded") as error:
        resolve_model("mlperf-tiny/kws")
    assert "WHYCYCLES_MODELS" in error.value.hint
    assert "mlperf-tiny/kws_ref_model.tflite" in error.value.hint


def test_a_page_that_never_ends_is_cut(monkeypatch, tmp_path):
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    with Server(b"x" * 5000) as server, pytest.raises(ToolError, match="more than 1000 bytes"):
        download.fetch((server.url,), SHA256, tmp_path / "x.tflite")


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with Server(CONTENT) as server, pytest.raises(ToolError, match="cannot be written") as error:
        download.fetch((server.url,), SHA256, tmp_path / "file" / "x.tflite")
    assert "WHYCYCLES_CACHE" in error.value.hint


def test_any_path_will_do(tmp_path):
    path = tmp_path / "My Model.tflite"
    path.write_bytes(CONTENT)
    ref = resolve_model(str(path))
    assert (ref.name, ref.path, ref.origin, ref.sha256) == ("My Model", path, Origin.FILE, SHA256)
    bare = tmp_path / "model"
    bare.write_bytes(CONTENT)
    assert resolve_model(str(bare)).name == "model"


def test_a_file_that_shares_a_zoo_name_is_not_taken_for_it(tmp_path):
    path = tmp_path / "kws.tflite"
    path.write_bytes(CONTENT)
    assert resolve_model(str(path)).name == f"kws-{SHA256[:8]}"
    path.write_bytes(resolve_model("kws").path.read_bytes())
    assert resolve_model(str(path)).name == "kws"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("kwz", "kws"),
        ("IC", "ic"),
        ("mlperf-tiny/kvs", "mlperf-tiny/kws"),
        ("MLPerf-Tiny/AD", "mlperf-tiny/ad"),
        ("vww", "mlperf-tiny/vww"),
        ("MLPerfTiny-SWW", "mlperf-tiny/sww"),
    ],
)
def test_unknown_names_get_near_misses(name, near):
    with pytest.raises(UsageError, match="no model called") as error:
        resolve_model(name)
    assert f"did you mean {near}" in error.value.hint
    assert all(known in error.value.hint for known in REFERENCES)


@pytest.mark.parametrize("name", ["", "nothing-like-it", "a\0b", "x" * 6000, "absent/model.tflite", "mlperf-tiny/"])
def test_names_that_make_no_sense_end_in_one_message(name):
    with pytest.raises(UsageError) as error:
        resolve_model(name)
    assert error.value.hint


def test_a_folder_is_no_model(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        resolve_model(str(tmp_path))


@pytest.mark.parametrize("entry", library._REFERENCES, ids=lambda e: e.name)
def test_pinned_digests_are_those_of_the_files_at_hand(entry):
    path = Path(MODELS) / "mlperf-tiny" / entry.file
    if not path.is_file():
        pytest.skip("WHYCYCLES_MODELS does not hold it")
    assert download.digest(path) == entry.sha256
