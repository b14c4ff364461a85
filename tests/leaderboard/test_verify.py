"""`verify` through the command line: honest runs hold, forged ones do not, nothing else happens."""

import contextlib
import io
import json
import os
from pathlib import Path

import folders
import forged
import numpy as np
import pytest
import safetensors.numpy

from leaderboard import catalogue
from leaderboard.notes import Verification, parse_note
from leaderboard.rank import boards
from leaderboard.record import load
from leaderboard.store import Store
from leaderboard.submit import VERIFICATION
from speedrun import cli, discover
from speedrun.data.local import LocalFiles
from speedrun.data.sources import SourceUnavailable

TINY = ["--params", "60K", "--vocab", "300", "--set", "model.context=32"]
NUM_DOCS = {"transformer": 20, "ngram": 20, "d3pm": 6}  # bounds are drawn many times
FAST = ["--set", "recipe.compile=false", "--set", "recipe.precision=fp32", "--tune", "off"]


def command(*args) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.raises(SystemExit) as stopped,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        cli.main([str(arg) for arg in args])
    return int(stopped.value.code or 0), out.getvalue(), err.getvalue()


def refused(*args) -> str:
    """The one line of a command that could not be carried out."""
    code, _, shown = command(*args)
    errors = [line for line in shown.splitlines() if line.startswith("error: ")]
    assert code == 2 and len(errors) == 1 and "Traceback" not in shown, shown
    return errors[0]


@pytest.fixture(scope="module")
def stories(tmp_path_factory) -> Path:
    """A folder of stories, of which three for training equal held-out ones."""
    folder = tmp_path_factory.mktemp("data") / "tales"
    folder.mkdir()
    lines = folders.write_stories(folder / "train.jsonl").read_text().splitlines()
    held, rest = lines[:40], lines[40:]
    equal = [json.dumps({"text": json.loads(held[i])["text"].upper()}) for i in (0, 5, 19)]
    (folder / "train.jsonl").write_text("\n".join([*rest[:100], *equal, *rest[100:]]))
    (folder / "validation.jsonl").write_text("\n".join(held))
    return folder


@pytest.fixture(scope="module")
def raced(stories, tmp_path_factory):
    """Runs by architecture: trained, counted, and one that is only bounded."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEEDRUN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        for arch, num_docs in NUM_DOCS.items():
            out = tmp_path_factory.mktemp(arch)
            code, _, shown = command(
                "--arch", arch, "--backend", "numpy" if arch == "ngram" else "cpu",
                "--minutes", "0.02", "--data", stories, "--out", out, "--json", *TINY,
                "--eval-docs", num_docs,
                *(FAST if arch != "ngram" else ()),
            )  # fmt: skip
            assert code == 0, shown
            (found[arch],) = (f for f in out.iterdir() if not f.name.startswith("."))
    return found


@pytest.fixture
def run(raced, tmp_path) -> Path:
    """The trained run, to be tampered with."""
    return forged.copied(raced["transformer"], tmp_path / "run")


def note_in(folder: Path) -> Verification:
    (path,) = folder.glob(VERIFICATION)
    note = parse_note(Verification, path.read_bytes(), str(path))
    assert path.name == f"verification-{note.digest()}.json"
    return note


# -- honest runs


@pytest.mark.parametrize("arch", ["transformer", "ngram"])
def test_an_honest_run_holds(raced, stories, arch, tmp_path):
    run = forged.copied(raced[arch], tmp_path / "run")
    code, shown, errors = command("verify", run, "--data", stories, "--by", "Zoë Q.")
    assert code == 0, shown + errors
    assert "The record holds." in shown and "passed" in shown and "failed" not in shown
    note = note_in(run)
    record = load(run / "record.json")
    assert record.score is not None
    assert note.agrees and note.by == "Zoë Q." and note.record == record.id
    assert note.rescored is not None and note.leaks is not None and note.rerun is None
    assert note.rescored.found_nats == pytest.approx(record.score.nats, rel=1e-6)
    assert note.rescored.allowed == 1e-4 and len(note.rescored.checks) == 4
    assert note.leaks.num_equal == record.data.num_dropped_duplicates == 3
    assert note.leaks.num_documents > 100


def test_a_bound_holds_within_the_error_of_its_draws(raced, stories, tmp_path):
    run = forged.copied(raced["d3pm"], tmp_path / "run")
    code, shown, errors = command("verify", run, "--data", stories)
    assert code == 0, shown + errors
    note = note_in(run)
    assert note.rescored is not None and 1e-4 < note.rescored.allowed < 0.2
    forged.resealed(run, forged.scaled_score(run, 0.5))
    assert command("verify", run, "--data", stories)[0] == 1
    # An error that makes everything possible is not believed.
    forged.resealed(run, {"score.bits_per_byte_mc_se": 1e9})
    assert command("verify", run, "--data", stories)[0] == 1


def test_another_backend_has_an_allowance_of_its_own(run, stories):
    if not discover.device("mlx", discover.architecture("transformer")).available:
        pytest.skip("mlx is not here")
    code, shown, errors = command("verify", run, "--data", stories, "--backend", "mlx")
    assert code == 0, shown + errors
    note = note_in(run)
    assert note.rescored is not None
    assert (note.rescored.backend, note.rescored.allowed) == ("mlx", 1e-3)


def test_json_is_the_note_alone(run, stories):
    code, shown, errors = command("verify", run, "--data", stories, "--json")
    assert code == 0, errors
    assert json.loads(shown) == note_in(run).model_dump(mode="json", by_alias=True)
    assert "The record holds." in errors


def test_a_record_in_a_store_is_verified_by_its_id(run, stories, tmp_path):
    store = tmp_path / "store"
    record = load(run / "record.json")
    if record.code.dirty is None:
        pytest.skip("no git checkout: such a record is not taken")
    code, _, errors = command(
        "submit", run, "--to", store, "--with-weights", "--new-data", "--author", "A"
    )
    assert code == 0, errors
    code, shown, errors = command(
        "verify", record.id[:8], "--from", store, "--data", stories, "--by", "B"
    )
    assert code == 0, shown + errors
    found = catalogue.read(Store(str(store)), None)
    assert not found.problems
    (note,) = found.verifications[record.id]
    assert note.by == "B" and note.agrees
    (board,) = boards(found.rows, found.submissions, found.verifications)
    assert board.entries[0].mark == "rescored"
    assert "no record begins with" in refused("verify", "0" * 64, "--from", store)


def test_a_note_beside_a_run_is_submitted_with_it(run, stories, tmp_path):
    if load(run / "record.json").code.dirty is None:
        pytest.skip("no git checkout: such a record is not taken")
    assert command("verify", run, "--data", stories)[0] == 0
    code, _, errors = command("submit", run, "--to", tmp_path / "store", "--new-data")
    assert code == 0, errors
    assert len(list((tmp_path / "store").glob("*.verification.*.json"))) == 1


def test_other_training_documents_are_not_searched(run, stories, tmp_path):
    other = tmp_path / "tales"
    other.mkdir()
    (other / "validation.jsonl").write_bytes((stories / "validation.jsonl").read_bytes())
    (other / "train.jsonl").write_text(json.dumps({"text": "Another one."}))
    code, shown, errors = command("verify", run, "--data", other)
    assert code == 0, errors
    assert "not searched" in " ".join(shown.split())
    assert note_in(run).leaks is None
    assert "not the data that the record was raced on" in refused(
        "verify", run, "--data", other, "--rerun"
    )


def test_a_source_that_breaks_off_leaves_the_scores(run, stories, monkeypatch):
    def broken(self, state=None):
        raise SourceUnavailable("the network is gone")

    monkeypatch.setattr(LocalFiles, "train", broken)
    code, shown, errors = command("verify", run, "--data", stories)
    assert code == 0, errors
    assert "not searched to the end: the network is gone" in " ".join(shown.split())
    note = note_in(run)
    assert note.leaks is None and note.rescored is not None


def test_a_folder_that_cannot_be_written_is_one_line(run, stories, monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert "nothing of this was saved" in refused("verify", run, "--data", stories)


def test_other_held_out_documents_are_one_line(run, stories, tmp_path):
    other = folders.write_stories(tmp_path / "other.jsonl")
    assert "not those of the record" in refused("verify", run, "--data", other)
    assert not list(run.glob(VERIFICATION))


def test_the_counted_model_raced_again_is_the_same(raced, stories, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = forged.copied(raced["ngram"], tmp_path / "run")
    for name in (forged.WEIGHTS, forged.TOKENIZER):
        (run / name).unlink()
    assert "--rerun, which needs none" in refused("verify", run, "--data", stories)
    code, shown, errors = command("verify", run, "--data", stories, "--rerun")
    assert code == 0, shown + errors
    note, record = note_in(run), load(run / "record.json")
    assert note.rescored is None and note.leaks is None and note.rerun is not None
    assert note.rerun.difference == pytest.approx(0.0, abs=1e-6)
    (folder,) = (tmp_path / "runs").iterdir()
    again = load(folder / "record.json")
    assert again.id == note.rerun.record and again.config == record.config
    assert "only raced again" in " ".join(shown.split())


# -- findings


def finding(run: Path, stories: Path) -> tuple[Verification, str]:
    code, shown, errors = command("verify", run, "--data", stories)
    assert code == 1, shown + errors
    assert "The record does not hold." in shown
    note = note_in(run)
    assert not note.agrees
    return note, " ".join(shown.split())


@pytest.mark.parametrize("by", [0.9, 0.999, 1.001])
def test_a_forged_score_does_not_hold(run, stories, by):
    forged.resealed(run, forged.scaled_score(run, by))
    note, shown = finding(run, stories)
    assert note.rescored is not None and note.rescored.difference == pytest.approx(1 / by - 1)
    assert "the nats differ" in shown


def test_a_difference_of_rounding_is_none(run, stories):
    forged.resealed(run, forged.scaled_score(run, 1 + 5e-5))
    assert command("verify", run, "--data", stories)[0] == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"score.num_bytes": 10**6}, "num_bytes is"),
        ({"score.bits_per_byte": 0.1}, "bits per byte, not 0.1"),
        ({"score.num_tokens": 5}, "tokens, the record says 5"),
        ({"score.likelihood": "bound"}, "likelihood is exact"),
        ({"score.nats": 1e-300}, "the nats differ"),
        ({"data.num_dropped_duplicates": 0}, "the record says that 0 were dropped"),
    ],
    ids=str,
)
def test_a_forged_part_does_not_hold(run, stories, change, says):
    forged.resealed(run, change)
    assert says in finding(run, stories)[1]


def test_weights_that_were_exchanged_do_not_hold(run, stories):
    """Other weights under a record that names them: whole, plain, and not so good."""
    path = run / forged.WEIGHTS
    arrays = safetensors.numpy.load_file(path)
    path.write_bytes(safetensors.numpy.save({n: a * 0.5 for n, a in arrays.items()}))
    forged.resealed(run)
    assert "the nats differ" in finding(run, stories)[1]


def test_a_model_that_looks_ahead_does_not_hold(run, stories, tmp_path):
    folder = folders.write(tmp_path / "transformer", folders.copy_of("transformer"))
    model = folder / "torch_model.py"
    code = model.read_text()
    assert "is_causal=True" in code
    model.write_text(code.replace("is_causal=True", "is_causal=False"))
    code, shown, _ = command("verify", run, "--data", stories, "--arch", folder)
    assert code == 1 and "not causal" in shown


def test_a_tokenizer_that_loses_text_does_not_hold(run, stories, monkeypatch):
    from speedrun.data.tokenizer import Tokenizer

    encode = Tokenizer.encode
    monkeypatch.setattr(Tokenizer, "encode", lambda self, text: encode(self, text.lower()))
    assert "does not give back" in finding(run, stories)[1]


# -- what cannot be verified ends in one line


def test_changed_weights_are_refused(run, stories):
    raw = bytearray((run / forged.WEIGHTS).read_bytes())
    raw[-1] ^= 1
    (run / forged.WEIGHTS).write_bytes(raw)
    for verb in (("verify", run, "--data", stories), ("sample", run)):
        assert "SHA-256 differs" in refused(*verb)


def test_a_changed_record_is_refused(run, stories):
    text = (run / forged.RECORD).read_text()
    (run / forged.RECORD).write_text(text.replace('"seed": 0', '"seed": 1', 1))
    assert "its id does not match" in refused("verify", run, "--data", stories)


def test_another_tokenizer_is_refused(run, raced, stories):
    raw = json.loads((run / forged.TOKENIZER).read_text())
    raw["normalizer"] = {"type": "Lowercase"}
    (run / forged.TOKENIZER).write_text(json.dumps(raw))
    assert "not plain byte-level BPE" in refused("verify", run, "--data", stories)
    (run / forged.TOKENIZER).write_text("[" * 10**6)
    assert "not JSON" in refused("sample", run)


HOSTILE_WEIGHTS = {
    "pickle": (b"\x80\x04\x95" + b"c" * 1000, "not a safetensors file"),
    "huge header": (forged.safetensors_bytes({}, length=2**62), "not a safetensors file"),
    "truncated": (None, "not a whole safetensors file"),
}


@pytest.mark.parametrize("case", HOSTILE_WEIGHTS)
def test_weights_that_are_none_are_one_line(run, stories, case):
    raw, says = HOSTILE_WEIGHTS[case]
    path = run / forged.WEIGHTS
    path.write_bytes(path.read_bytes()[:-4] if raw is None else raw)
    forged.resealed(run)
    assert says in refused("verify", run, "--data", stories)
    assert says in refused("sample", run)


def rearranged(run: Path, change) -> None:
    path = run / forged.WEIGHTS
    arrays = change(safetensors.numpy.load_file(path))
    path.write_bytes(safetensors.numpy.save(arrays))
    forged.resealed(run)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a: {f"x{n}": w for n, w in a.items()}, "weights do not fit the model"),
        (lambda a: {n: w.ravel() for n, w in a.items()}, "has shape"),
        (lambda a: {n: w * np.float32("nan") for n, w in a.items()}, "not finite"),
        (lambda a: {n: w.astype(np.float16) for n, w in a.items()}, "'F16'"),
    ],
    ids=["names", "shapes", "NaN", "type"],
)
def test_weights_of_another_model_are_one_line(run, stories, change, says):
    rearranged(run, change)
    assert says in refused("verify", run, "--data", stories)


def test_counts_made_to_come_round_are_one_line(raced, stories, tmp_path):
    """Numbers of n-grams whose sum overflows to the right one."""
    run = forged.copied(raced["ngram"], tmp_path / "run")

    def overflowing(arrays):
        runs = arrays["counts.2"]
        most = np.iinfo(np.int64).max
        runs[1, :3] = most, most, runs[1, :3].sum() + 2
        return arrays

    rearranged(run, overflowing)
    assert "does not share out" in refused("verify", run, "--data", stories)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"arch": "../../evil"}, "has no name here"),
        ({"arch": "./evil"}, "has no name here"),
        ({"arch": "mamba"}, "has no name here"),
        ({"arch": "lstm"}, "another architecture"),
        ({"config.model": None}, "its config has no model"),
        ({"config.model.width": "16"}, "config.model.width"),
        ({"config.model.context": 2**30}, "GiB"),
        ({"config.model.depth": ...}, "another architecture"),
        ({"score": None, "status": "diverged"}, "has no score to verify"),
        ({"score.num_docs": 10**15}, "allowed are 2 to"),
        ({"score.stride": 0}, "with a stride of 0"),
        ({"score.window": 10**9}, "no window of"),
        ({"tokenizer.vocab": 301}, "not plain byte-level BPE"),
        ({"tokenizer.fingerprint": "0" * 64}, "not the tokenizer that the record names"),
        ({"num_params": 10}, "holds"),
    ],
    ids=str,
)
def test_a_record_that_cannot_be_is_one_line(run, stories, tmp_path, monkeypatch, change, says):
    evil = tmp_path / "here" / "evil"
    evil.mkdir(parents=True)
    (evil / "__init__.py").write_text("raise SystemExit('it was executed')")
    monkeypatch.chdir(evil.parent)
    forged.resealed(run, change)
    assert says in refused("verify", run, "--data", stories)
    assert not list(run.glob(VERIFICATION))


@pytest.mark.parametrize("number", [2**52, 2**63, 10**400], ids=["2^52", "2^63", "10^400"])
@pytest.mark.parametrize(
    "path",
    ["num_params", "seed", "train.num_tokens", "score.num_bytes", "score.num_tokens",
     "score.num_docs", "data.num_dropped_duplicates", "score.window", "score.stride",
     "config.data.stride", "config.model.width", "num_params_non_embedding"],
)  # fmt: skip
def test_numbers_that_nothing_can_hold_end_well(run, stories, path, number):
    try:
        forged.resealed(run, {path: number})
    except ValueError:
        return  # no record at all
    assert command("verify", run, "--data", stories)[0] in (0, 1, 2)


def test_what_is_no_run_and_no_id_is_one_line(run, stories, tmp_path):
    assert "no such folder, and not an id" in refused("verify", "nowhere")
    assert "no such folder, and not an id" in refused("verify", "abc")
    assert "no record.json there" in refused("verify", tmp_path)
    assert "--by" in refused("verify", run, "--data", stories, "--by", "two\nlines")
    assert "unknown backend" in refused("verify", run, "--data", stories, "--backend", "abacus")


@pytest.fixture
def stored(run, tmp_path) -> tuple[Path, Path]:
    """A store with the run's record and weights, and the weights' file."""
    store, record = tmp_path / "store", load(run / "record.json")
    for folder in ("weights", "tokenizers"):
        (store / folder).mkdir(parents=True)
    (store / f"{record.id}.json").write_bytes((run / forged.RECORD).read_bytes())
    kept = store / "weights" / f"{record.weights_sha256}.safetensors"
    kept.write_bytes((run / forged.WEIGHTS).read_bytes())
    named = store / "tokenizers" / f"{record.tokenizer.fingerprint}.json"
    named.write_bytes((run / forged.TOKENIZER).read_bytes())
    return store, kept


def test_links_and_pipes_in_a_store_are_not_followed(stored, stories, run):
    store, kept = stored
    (name,) = (path.stem for path in store.glob("*.json"))
    said = ("verify", name, "--from", store, "--data", stories)
    kept.unlink()
    assert "ask its author" in refused(*said)
    kept.symlink_to(run / forged.WEIGHTS)
    assert "cannot be read" in refused(*said)
    kept.unlink()
    os.mkfifo(kept)
    assert "not a plain file" in refused(*said)
    kept.unlink()
    elsewhere = kept.parent.rename(run / "weights")
    (elsewhere / kept.name).write_bytes((run / forged.WEIGHTS).read_bytes())
    kept.parent.symlink_to(elsewhere)
    assert "a link" in refused(*said)


def test_oversized_weights_in_a_store_are_not_read_whole(stored, stories):
    store, kept = stored
    (name,) = (path.stem for path in store.glob("*.json"))
    with kept.open("wb") as file:
        file.truncate(1 << 40)
    said = ("verify", name[:6], "--from", store, "--data", stories)
    assert "larger than it may be" in refused(*said)
