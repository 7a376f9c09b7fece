"""Chat templates: rendered as models expect, refused when they run away, contents told apart; and the frames beside them."""

from __future__ import annotations

import os
import resource
import time

import jinja2
import pytest
from ends import ends

from reasoner.clients.llamacpp.frames import MAX_FRAME_BYTES, BrokenFrame, encode_frame, read_frame, write_frame
from reasoner.clients.llamacpp.worker.bounds import Overrun, bounded
from reasoner.clients.llamacpp.worker.chat_template import CHATML, ChatTemplate, Part
from reasoner.errors import BadTemplate
from reasoner.types import Message

HI = [Message("user", "Hi")]


def test_chatml() -> None:
    messages = [Message("system", "Be brief."), *HI]
    expected = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert ChatTemplate(CHATML).render(messages) == expected


def test_what_templates_of_models_use_is_there() -> None:
    source = (
        "{{ bos_token }}{% generation %}{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}"
        "{{ {'b': m.content, 'a': '<'} | tojson }}{% endfor %}{% endgeneration %}"
        "{{ strftime_now('%Y') }}{{ eos_token }}{{ add_generation_prompt }}{% if tools %}tools{% endif %}"
    )
    template = ChatTemplate(source, bos_token="<s>", eos_token="</s>")
    assert template.render([*HI, *HI]) == '<s>{"b": "Hi", "a": "<"}2025</s>True'


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}",
        "{{ 'a' * 10 ** 10 }}",
        "{{ messages[0].content * 10 ** 10 }}",
        "{{ (9 ** (9 ** 9)) % 2 }}",
        "{{ (7 ** 9999999) % 2 }}",
        "{{ range(10 ** 9) | list }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ raise_exception('system role is not supported') }}",
        "{% if %}",
        "{{ 1 / 0 }}",
        "{{ messages[0]['content']['x'].y.z }}",
        "{% include 'x' %}",
        "{{ '%s' | format }}",
    ],
)
def test_bad_templates_are_one_error_in_bounded_time(source: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with ends(source), pytest.raises(BadTemplate) as caught:
        ChatTemplate(source).render(HI)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert len(str(caught.value)) < 500


def test_the_reason_a_template_gives_is_passed_on() -> None:
    with pytest.raises(BadTemplate, match="no system role here"):
        ChatTemplate("{{ raise_exception('no system role here') }}").render(HI)


def test_contents_are_told_apart_and_joined_give_the_prompt() -> None:
    messages = [Message("system", ""), Message("user", "  <|im_end|>\n q0x1q "), Message("assistant", "b")]
    template = ChatTemplate("{% for m in messages %}[{{ m.content | trim }}]{% endfor %}")
    assert template.render_parts(messages) == [
        Part("[][", is_content=False),
        Part("<|im_end|>\n q0x1q", is_content=True),
        Part("][", is_content=False),
        Part("b", is_content=True),
        Part("]", is_content=False),
    ]
    assert "".join(p.text for p in template.render_parts(messages)) == template.render(messages)


def test_a_template_that_changes_contents_cannot_be_told_apart() -> None:
    with pytest.raises(BadTemplate, match="takes contents apart"):
        ChatTemplate("{{ messages[0].content[:27] ~ '9q' }}").render_parts(HI)


def test_bounds_are_lifted_afterwards_and_an_overrun_is_no_exception() -> None:
    def spin() -> None:
        with bounded(cpu_s=0.05, memory_bytes=1 << 30):
            while True:
                sum(range(1000))

    with pytest.raises(Overrun):
        spin()
    assert not issubclass(Overrun, Exception)
    with bounded(cpu_s=0.2, memory_bytes=1 << 30):
        pass
    until = time.process_time() + 0.4
    while time.process_time() < until:
        pass


def test_jinja_is_new_enough_for_its_sandbox_to_hold() -> None:
    assert tuple(map(int, jinja2.__version__.split(".")[:3])) >= (3, 1, 6)


def frames_of(data: bytes) -> dict[str, object] | None:
    read_fd, write_fd = os.pipe()
    try:
        os.write(write_fd, data)
        os.close(write_fd)
        return read_frame(read_fd)
    finally:
        os.close(read_fd)


def test_a_frame_survives_the_pipe_with_lone_surrogates() -> None:
    read_fd, write_fd = os.pipe()
    write_frame(write_fd, {"text": "a\ud800é\0"})
    assert read_frame(read_fd) == {"text": "a\ud800é\0"}
    os.close(write_fd)
    assert read_frame(read_fd) is None
    os.close(read_fd)


@pytest.mark.parametrize(
    "data",
    [b"\0", b"\0\0\0\x05{}", b"\xff\xff\xff\xff", b"\0\0\0\x02[]", b"\0\0\0\x02{x", b"\0\0\0\x01\xff", b"\0\0\x10\0" + b"[" * 4096],
)
def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(BrokenFrame):
        frames_of(data)


def test_a_frame_too_large_is_not_sent() -> None:
    with pytest.raises(BrokenFrame, match="at most"):
        encode_frame({"text": "x" * MAX_FRAME_BYTES})


NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}{% endfor %}"
)
IGNORES_SYSTEM = "{% for m in messages if m.role != 'system' %}<{{ m.role }}>{{ m.content }}{% endfor %}"
ALTERNATES = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "<{{ m.role }}>{{ m.content }}{% endfor %}"
)
PARTS = [
    Message("system", "Be brief."),
    Message("user", "Hi"),
    Message("user", "there"),
    Message("assistant", "Yes?"),
    Message("user", "Go"),
]


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        (NO_SYSTEM, "<user>Be brief.\n\nHi<user>there<assistant>Yes?<user>Go"),
        (IGNORES_SYSTEM, "<user>Be brief.\n\nHi<user>there<assistant>Yes?<user>Go"),
        (ALTERNATES, "<user>Be brief.\n\nHi\n\nthere<assistant>Yes?<user>Go"),
    ],
    ids=["raises", "ignores", "alternates"],
)
def test_messages_are_fitted_to_a_template_with_fewer_roles(source: str, wanted: str) -> None:
    template = ChatTemplate(source)
    assert template.render(template.fitted(PARTS)) == wanted
    assert template.fitted(HI) == HI


def test_a_template_that_takes_all_roles_is_given_all() -> None:
    assert ChatTemplate(CHATML).fitted(PARTS) == PARTS


def test_a_system_message_alone_becomes_a_users_turn() -> None:
    assert ChatTemplate(NO_SYSTEM).fitted([Message("system", "Be brief.")]) == [Message("user", "Be brief.")]
