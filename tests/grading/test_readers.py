"""Readers: every form in which published outputs end, thoughts that are never read, and the order of `auto`."""

from __future__ import annotations

import pytest

from reasoner.errors import BadConfig
from reasoner.grading import Found, check_reader, read, reader_names


@pytest.mark.parametrize(
    ("text", "found", "by"),
    [
        ("Answer: 18", "18", "answer_line"),
        ("A: 18", "18", "answer_line"),
        ("First 3.\n**Answer:** 18", "18", "answer_line"),
        ("**Answer: 18**", "18", "answer_line"),
        ("**Final Answer:** $18$.", "18", "answer_line"),
        ("So the answer is (B).", "(B)", "answer_line"),
        ("Therefore, the answer is 18", "18", "answer_line"),
        ("So **the answer is 18**, not 19.", "18", "answer_line"),
        ("So **the answer is 18.** It is even.", "18", "answer_line"),
        ("**Conclusion:** **Answer: B**", "B", "answer_line"),
        ("Conclusion: **Answer:** B", "B", "answer_line"),
        ("So, the **answer is 18**.", "18", "answer_line"),
        ("The answer is therefore 18.", "18", "answer_line"),
        ("The answer would be 18.", "18", "answer_line"),
        ("<think>9*2</think>\n<answer>\n18\n</answer>", "18", "tag"),
        ("<Answer>The answer is **18**.</Answer>", "18", "tag"),
        ("<answer>1</answer> no, <answer>so \\boxed{18}</answer>", "18", "tag"),
        ("<answer>1</answer>\nAnswer: 18", "18", "answer_line"),
        ("Answer: 18\n<answer>", "18", "answer_line"),
        ("I think\n<answer> </answer>\n", None, ""),
        ('{"steps": ["9*2"], "answer": 18}', "18", "json:answer"),
        ('```json\n{"answer": "$18$"}\n```', "18", "json:answer"),
        ("```\n18\n```", "18", "line"),
        ('{"result": 18}', '{"result": 18}', "line"),
        ('I write {"answer": 18} here\nand go on', None, ""),
        ("The final **answer** is **18**.", "18", "answer_line"),
        ("2**3 is 8, so the answer is 2**4", "2**4", "answer_line"),
        ("x * 2 holds, so the answer is 3 * 2", "3 * 2", "answer_line"),
        ("Therefore, the answer is 3.5 hours. That is long.", "3.5 hours", "answer_line"),
        ("The final answer is $B$. I hope it is correct.", "B", "answer_line"),
        ("Answer: 18. I hope it is correct.", "18", "answer_line"),
        ("Steps\n### Final Answer\n\n18\n", "18", "answer_line"),
        ("### Answer\n- 18", "18", "answer_line"),
        ("The answer is St. Louis. It lies on a river.", "St. Louis", "answer_line"),
        ("The answer is J. Smith.", "J. Smith", "answer_line"),
        ("Answer: C*", "C*", "answer_line"),
        ("Answer: *args", "*args", "answer_line"),
        ("Answer: $18", "$18", "answer_line"),
        ("Answer: `x_1`", "x_1", "answer_line"),
        ("The answer is \\boxed{18}, since 9*2.", "18", "answer_line"),
        ("Answer: 1\nAnswer: 2\nthanks", "2", "answer_line"),
        ("so \\boxed{1} and \\boxed{\\frac{1}{2}}", "\\frac{1}{2}", "boxed"),
        ("it is \\boxed{\\text{Evelyn}}\nsince it is", "Evelyn", "boxed"),
        ("a\n#### 1,800", "1,800", "hash"),
        ("Paris", "Paris", "line"),
        ("Paris.\nRome", None, ""),
        ("Answer:", None, ""),
        ("Answer: ...", None, ""),
        ("the answer isn't known, sadly\nreally", None, ""),
        ("", None, ""),
    ],
)
def test_auto(text: str, found: str | None, by: str) -> None:
    assert read("auto", text) == (None if found is None else Found(found, by))


@pytest.mark.parametrize(
    ("spec", "text", "found"),
    [
        ("choice", "I think **B** is best.\nIndeed.", "B"), ("choice", "Options (A) and (C): take (C)", "C"), ("choice", "Well,\nB", "B"), ("choice", "The answer is Option D.", "Option D"),
        ("choice", "it is choice (c) I say\nyes", "c"), ("last_number", "from 3 to 1,234.5 kg", "1,234.5"), ("last_number", "none", None), ("last_number", "-7/3", "-7/3"), ("last_number", "x = .5", ".5"),
        ("json:answer", 'Here: {"answer": 18, "why": "x"}', "18"), ("json:a.b[1]", '{"a": {"b": [1, {"c": 2}]}}', '{"c": 2}'), ("json:answer", '{"answer": "yes"} or {"other": 1}', "yes"), ("json:answer", "{broken", None),
        ("regex:score=(\\d+)", "score=1 score=25", "25"), ("regex:x+", "axxb", "xx"), ("regex:y", "x", None), ("whole", " a\nb ", "a\nb"), ("hash", "x #### 5", "5"), ("boxed", "\\boxed{", None), ("boxed", "\\boxed{a\\}b}", "a\\}b"),
    ],
)  # fmt: skip
def test_named_readers(spec: str, text: str, found: str | None) -> None:
    made = read(spec, text)
    assert (made.text if made else None) == found
    assert made is None or made.by == spec.partition(":")[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<think>Answer: 1</think>Answer: 2", "2"),
        ("<think>Answer: 1", None),
        ("Answer: 1</think>\nAnswer: 2", "2"),
        ("Answer: 1</think>", None),
        ("<thinking>\\boxed{1}</thinking>\n\\boxed{2}", "2"),
        ("<|channel|>analysis<|message|>Answer: 1<|end|><|start|>assistant<|channel|>final<|message|>Answer: 2<|return|>", "2"),
        ("<|channel|>analysis<|message|>Answer: 1", None),
        ("Answer: 2\n<think>Answer: 3</think>", "2"),
        ("a < b\nAnswer: x < 2", "x < 2"),
    ],
)
def test_a_thought_is_never_read(text: str, found: str | None) -> None:
    made = read("auto", text)
    assert (made.text if made else None) == found


@pytest.mark.parametrize("spec", ["", "boxing", "json", "regex", "regex:", "boxed:1", "regex:(", "regex:" + "a" * 2000])
def test_readers_that_cannot_be(spec: str) -> None:
    with pytest.raises(BadConfig):
        check_reader(spec)
    assert "auto" in reader_names()


@pytest.mark.parametrize("marker", ["answer is ", "Answer: ", "The final answer is ", "**Answer:** "])
def test_markers_without_end_end(marker: str) -> None:
    """Two markers in a row are one, a thousand are no reason to call oneself a thousand times."""
    found = read("auto", marker * 20_000 + "5")
    assert found is None or found.by == "answer_line"
    assert read("auto", "Final Answer: The final answer is 5.") == Found("5", "answer_line")
