"""Runs below a folder: finished and valid ones, at two depths."""

from helpers.made_records import made

from speedrun.records.files import read_runs, record_paths


def test_invalid_and_unfinished_records_are_skipped_when_runs_are_read(tmp_path):
    records = [made(seed=seed) for seed in range(3)]
    texts = {
        "good": records[0].to_json(),
        "forged": records[1].to_json().replace("0.75", "0.57"),
        "torn": "{",
        "sweep/seed-2": records[2].to_json(),
        ".partial": records[1].to_json(),
    }
    for name, text in texts.items():
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "record.json").write_text(text)
    found = [(tmp_path / "good", records[0]), (tmp_path / "sweep" / "seed-2", records[2])]
    assert list(read_runs(tmp_path)) == found
    assert len(record_paths(tmp_path)) == 4
    assert list(read_runs(tmp_path / "nowhere")) == []
