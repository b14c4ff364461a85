"""Files of a publication: a card that says what matters, and nothing of this machine."""

import hashlib
import json
import re

import pytest
import yaml
from helpers.made_records import BOUND, WEIGHTS, write_run
from huggingface_hub import ModelCard, parse_eval_result_entries

from leaderboard.publish import contents
from leaderboard.publish.contents import CARD, CONFIG, CURVE, NAMES, RESULTS, Wanted

OWN = {"weights_sha256": hashlib.sha256(WEIGHTS).hexdigest()}
MINE = {"arch": "mine", "config.arch": "mine", "argv": []}
OTHER = {"data.train_fingerprint": "5" * 64, "data.heldout_fingerprint": "6" * 64}
WANTED = Wanted(address="hf://ada/model")


@pytest.fixture
def built(make_record, tmp_path):
    """`built({"seed": 1}, with_paths=True)`: record and files of a made-up run."""

    def build(changes=None, wanted=WANTED):
        run = write_run(tmp_path / "run", make_record(OWN | (changes or {})))
        (run / "log.jsonl").write_text('{"share": 0.1}\n')
        (run / "local.json").write_text('{"data": "/home/ada/stories"}')
        return contents.build(run, wanted)

    return build


def card(files) -> str:
    return files[CARD].decode()


def metadata(files) -> dict:
    return ModelCard(card(files)).data.to_dict()


def test_a_publication_is_the_run_again_without_facts_of_this_machine(built, tmp_path):
    record, files = built()
    assert files.keys() == set(NAMES)
    for name in ("record.json", "model.safetensors", "tokenizer.json", "log.jsonl"):
        assert files[name] == (tmp_path / "run" / name).read_bytes()
    assert json.loads(files[CONFIG]) == record.config
    assert files["samples.txt"].decode() == "Once, a fox 🦊\n"
    assert files[CURVE].startswith(b"\x89PNG")
    assert not any(b"/home/ada" in content for content in files.values())


def test_the_card_tells_score_curve_recipe_clock_sample_licence_and_command(built):
    record, files = built()
    text = card(files)
    assert "| **bits per byte** (ranks; lower is better) | 0.7500 | 0.0010 |" in text
    assert "![Training loss over seconds of training](curve.png)" in text
    assert "| 100% | 2.124 |" in text
    assert '"lr": 0.003' in text and '"width": 128' in text
    assert "| training | 299.00 | on the clock |" in text and "| compile | 10.00 | |" in text
    assert "```text\nOnce, a fox 🦊\n```" in text
    assert "Licence of the data: cdla-sharing-1.0." in text
    assert "python run.py --minutes 5 --arch transformer" in text and "git checkout 000" in text
    assert "python run.py sample hf://ada/model" in text
    assert record.id in text


def test_the_hub_s_library_reads_metadata_and_results(built):
    _, files = built(wanted=Wanted(address="hf://ada/model", licence="mit"))
    found = metadata(files)
    assert (found["license"], found["language"]) == ("mit", "en")
    assert found["datasets"] == ["roneneldan/TinyStories"]
    entries = parse_eval_result_entries(yaml.safe_load(files[RESULTS]))
    first = entries[0]
    assert (first.dataset_id, first.task_id) == ("roneneldan/TinyStories", "bits_per_byte")
    assert first.value == 0.75 and first.notes is not None
    assert "2,000 held-out documents" in first.notes and "local copy" in first.notes


def test_a_bound_is_shown_as_one(built):
    _, files = built(BOUND)
    assert "| ≤ 0.7500 |" in card(files)
    assert "an upper bound" in files[RESULTS].decode()


def test_unknown_data_have_no_licence_and_no_results(built):
    _, files = built(OTHER | {"data.name": "mine"})
    assert RESULTS not in files
    assert "Licence of the data: unknown. Whoever publishes this model must state it" in card(files)
    assert "datasets" not in metadata(files)


def test_data_named_like_others_are_told_by_their_content(built):
    _, files = built(OTHER)
    assert RESULTS not in files and "cdla" not in card(files)


def test_the_licence_of_data_is_stated_by_who_knows_it(built):
    own = Wanted(address="model", data_licence="cc0-1.0")
    assert "Licence of the data: cc0-1.0." in card(built(OTHER, own)[1])
    with pytest.raises(ValueError, match=r"--data-license cc0-1\.0: the data of this run have the"):
        built(None, own)


def test_an_outside_architecture_says_that_code_is_required(built):
    text = card(built(MINE)[1])
    assert "**Code required.**" in text and "--arch path/to/folder" in text and "b" * 64 in text
    assert "Code required" not in card(built()[1])


def test_texts_of_a_record_are_shown_literally(built):
    text = card(built({"sample.text": "```\n# Not a title\n\u202e", "data.name": "a|*b*"})[1])
    assert "````text\n```\n# Not a title\n\\u202e\n````" in text
    assert "Trained on a\\|\\*b\\* " in text


def test_a_run_that_does_not_rank_says_why(built):
    text = card(built({"status": "interrupted"})[1])
    assert "This run does not rank: the run is interrupted." in text


PATHS = [
    ("train.events.0.what", "the cache /home/ada/.cache/speedrun cannot be written", "/home/ada"),
    ("config.recipe.note", r"C:\Users\ada\x", "Users"),
    ("data.name", "~/secret/stories", "~/secret"),
]


@pytest.mark.parametrize(("place", "text", "shown"), PATHS)
def test_a_record_with_paths_is_not_published_unless_asked(place, text, shown, built):
    with pytest.raises(ValueError, match="--with-paths publishes them") as caught:
        built({place: text})
    assert re.search(rf"record\.{re.escape(place)} has .*{re.escape(shown)}", str(caught.value))
    assert CARD in built({place: text}, Wanted(address="x", with_paths=True))[1]


@pytest.mark.parametrize("text", ["https://host/a/b", "a and/or b", "1/2/3 tokens/s", "./mine"])
def test_what_looks_like_a_path_and_is_none_is_published(text, built):
    built({"train.events.0.what": text})


def test_the_story_of_a_model_is_no_path(built):
    built({"sample.text": "He went to /home/ada/garden."})


def test_a_log_with_a_path_is_not_published(built, tmp_path):
    built()
    (tmp_path / "run" / "log.jsonl").write_text('{"file": "/home/ada/x"}\n')
    with pytest.raises(ValueError, match=r"log\.jsonl has '/home/ada/x'"):
        contents.build(tmp_path / "run", WANTED)


def test_a_run_without_a_score_is_not_published(built):
    with pytest.raises(ValueError, match="trained, not scored yet: python"):
        built({"status": "trained", "score": None, "sample": None})
    with pytest.raises(ValueError, match="the run is diverged"):
        built({"status": "diverged", "score": None, "sample": None})


def test_other_weights_than_the_record_names_are_not_published(built, tmp_path):
    built()
    weights = tmp_path / "run" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match="not the weights that the record names"):
        contents.build(tmp_path / "run", WANTED)
