"""The card says what is in the files, as the Hub's own reader understands it, and names the teacher."""

from __future__ import annotations

from pathlib import Path

import pytest

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.export import export
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters
from reasoner.errors import BadConfig
from reasoner.store import Store


def test_the_hubs_reader_understands_it(tmp_path: Path) -> None:
    import datasets
    from huggingface_hub import DatasetCard

    sampling = reasoner.Sampling(max_tokens=4000)
    reasoner.bench(["number_path", "game24"], strategy="cot,ats", model="teacher", n=12, db=tmp_path / "t.db", sampling=sampling)
    out = tmp_path / "out"
    out.mkdir()
    options = Options(split="train=0.7,test=0.3", card=True, licence="cc-by-4.0", ratings=True)
    with Store.open(tmp_path / "t.db") as store:
        tally = export(store, "sft", out / "data.jsonl", Filters(solver="number_path"), options)
        first = (out / "README.md").read_bytes()
        export(store, "sft", out / "data.jsonl", Filters(solver="number_path"), options)
    assert (out / "README.md").read_bytes() == first
    card = DatasetCard.load(out / "README.md")
    assert card.data.license == "cc-by-4.0"
    assert card.data.size_categories == ["n<1K"]
    assert card.data.configs[0]["data_files"] == [
        {"split": "test", "path": "data.test.jsonl"},
        {"split": "train", "path": "data.train.jsonl"},
    ]
    text = card.text
    assert "were written by the exact solver, not by a language model" in text
    for name, facts in tally.files.items():
        assert f"| {name} | {facts['rows']} | {facts['bytes']} | {facts['sha256']} |" in text
    assert "| number_path 4 | 24 |" in text
    assert "| teacher | 24 |" in text
    assert '`solver = "number_path"`' in text
    assert "`ratings = true`" in text
    assert f"{tally.total_length} characters in all" in text
    assert str(tmp_path) not in text, "a card tells nothing of the machine"
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: len(part) for name, part in loaded.items()} == dict(tally.counts["split"])


def test_a_readme_that_no_export_wrote_stays_and_other_files_are_named(tmp_path: Path) -> None:
    import datasets

    client = ScriptedClient(["So.\nAnswer: 9 -> 10 -> 20", "Answer: 9 -> 18 -> 36"])
    reasoner.solve("number_path", "2 9 20", strategy="direct", model=client, samples=2, db=tmp_path / "t.db")
    out = tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("# Mine\n")
    with Store.open(tmp_path / "t.db") as store:
        with pytest.raises(BadConfig, match="no export wrote it"):
            export(store, "openai-sft", out / "data.jsonl", options=Options(card=True))
        assert [path.name for path in out.iterdir()] == ["README.md"], "it is said before the work"
        assert (out / "README.md").read_text() == "# Mine\n"
        (out / "README.md").unlink()
        export(store, "openai-sft", out / "data.jsonl")
        assert len(datasets.load_dataset(str(out), cache_dir=str(tmp_path / "c1"))["train"]) == 1, "the file beside is no data"
        for _ in range(2):
            export(store, "kto", out / "labels.jsonl", options=Options(card=True))
    text = (out / "README.md").read_text()
    assert "| data.jsonl |" in text
    assert "| data.lineage |" in text
    assert len(datasets.load_dataset(str(out), cache_dir=str(tmp_path / "c2"))["train"]) == 2
    assert len(datasets.load_dataset(str(out), "data.jsonl", cache_dir=str(tmp_path / "c3"))["train"]) == 1


def test_without_a_licence_the_card_says_so_and_of_whom(tmp_path: Path) -> None:
    client = ScriptedClient(["Answer: 9 -> 10 -> 20"])
    client.name = "m|`<b>\n"
    reasoner.solve("number_path", "2 9 20", strategy="direct", model=client, db=tmp_path / "t.db")
    with Store.open(tmp_path / "t.db") as store:
        export(store, "sft", tmp_path / "data.jsonl", options=Options(card=True, trust_verdicts=True))
    text = (tmp_path / "README.md").read_text()
    assert "No licence was named" in text
    assert "were not verified again" in text
    assert "written by the exact solver" not in text
    assert "| m\\|'&lt;b> | 1 |" in text
