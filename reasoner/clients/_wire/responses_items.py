"""The Responses format in its open specification: writing requests, reading answers whole or streamed.

Knows bytes and fields. Does not open connections, read settings or wait; `remote` does. Whose fault a status is, `endpoint` knows.

    {"model": "m", "input": [{"role": "user", "content": "4 9 10 13"}], "store": false, "include": ["reasoning.encrypted_content"]}

Nothing is stored at the provider, so the items of an answer that holds a thought go back unchanged and in order. What the format has no word
for: a seed and stop sequences, which are left out; top_k, min_p and a repeat penalty, which would change the answer, are an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reasoner.clients._wire import thinking
from reasoner.clients._wire.dialect import (
    Reading,
    extra_body,
    json_event,
    json_value,
    merged,
    messages_of,
    no_answer,
    read_reply,
    schema_of,
    sent,
)
from reasoner.clients._wire.openai_chat import read_tokens
from reasoner.clients._wire.openai_turns import arguments_text
from reasoner.clients._wire.said import Counts, Said, completion_of, count, mapping, objects, opaque_items, unreadable, words
from reasoner.errors import BadConfig, BadResponse, UnreadableAnswer
from reasoner.types import Completion, Message, Request, ToolCall

if TYPE_CHECKING:
    from reasoner.clients._wire.endpoint import Endpoint
    from reasoner.clients._wire.profiles import Profile
    from reasoner.clients._wire.sse import Event

FORM = "responses"
ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"
_ENDED = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


class ResponsesDialect:
    """`POST {base_url}/responses`."""

    def headers(self, key: str) -> dict[str, str]:
        """Return the header that carries the key; none where there is no key."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def body(self, request: Request, *, model: str, profile: Profile, stream: bool) -> dict[str, Any]:
        """Return the body of a request: what is set, and that nothing is to be stored.

        Raises:
            BadConfig: it holds what this format cannot say.
        """
        sampling = sent(request.sampling, profile, bounded=False)
        if sampling.min_p or sampling.top_k or sampling.repeat_penalty not in {None, 1.0}:
            raise BadConfig("the Responses format has no top_k, no min_p and no repeat penalty", hint="leave them at their defaults")
        body: dict[str, Any] = {
            "model": model,
            "input": [item for message in messages_of(request, profile) for item in _items(message, profile)],
            "store": False,
            "include": [ENCRYPTED, *([LOGPROBS] if sampling.logprobs else [])],
        }
        if sampling.max_tokens is not None:
            body["max_output_tokens"] = sampling.max_tokens
        body |= {name: value for name in ("temperature", "top_p") if (value := getattr(sampling, name)) is not None}
        wanted = thinking.fields(sampling.thinking, profile, max_tokens=sampling.max_tokens)
        if effort := wanted.pop("reasoning_effort", profile.reasoning_effort):
            wanted["reasoning"] = {"effort": effort} | ({"summary": "auto"} if effort != profile.thinking_off else {})
        body |= wanted | _tool_fields(request)
        if stream:
            body["stream"] = True
        schema = schema_of(request, profile)
        if schema is not None and profile.schema_by == "json_schema":
            body["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": schema, "strict": True}}
        elif schema is not None and profile.schema_by == "json_object":
            body["text"] = {"format": {"type": "json_object"}}
        elif schema is not None and profile.schema_by == "tool":
            body["tools"] = [{"type": "function", "name": "answer", "parameters": schema}]
            body["tool_choice"] = {"type": "function", "name": "answer"}
        return merged(body, extra_body(sampling.extra_body))

    def completion(self, endpoint: Endpoint, request: Request, body: bytes, *, seconds: float, profile: Profile) -> Completion:
        """Read a success body.

        Raises:
            BadResponse: it is not one whole response.
            ClientError: it says itself what is wrong (no quota left, too many requests).
        """
        said = read_response(endpoint, read_reply(endpoint, body))
        return completion_of(endpoint, request, profile, said, form=FORM, seconds=seconds)

    def reading(self, endpoint: Endpoint, request: Request, *, profile: Profile) -> ResponsesReading:
        """Begin to read a streamed answer."""
        return ResponsesReading(endpoint, request, profile)


def _items(message: Message, profile: Profile) -> list[dict[str, Any]]:
    """Write one message as the items it is."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": message.content}]
    if message.role != "assistant":
        role = "developer" if message.role == "system" and profile.system == "developer" else message.role
        if not message.images:
            return [{"role": role, "content": message.content}]
        shown = [{"type": "input_image", "image_url": url} for url in message.images]
        return [{"role": role, "content": [{"type": "input_text", "text": message.content}, *shown]}]
    kept = [item for item in opaque_items(message.opaque, FORM) if isinstance(item, dict)]
    if kept and _text_of(kept) == message.content:
        return kept
    made = [item for item in kept if item.get("type") == "reasoning"]
    made += [{"role": "assistant", "content": message.content}] if message.content else []
    calls = [{"type": "function_call", "call_id": c.id, "name": c.name, "arguments": c.arguments} for c in message.tool_calls]
    return [*made, *calls] or [{"role": "assistant", "content": ""}]


def _text_of(items: Sequence[dict[str, Any]]) -> str:
    parts = [part for item in items if item.get("type") == "message" for part in objects(item.get("content"))]
    return "".join(words(part.get("text")) for part in parts if part.get("type") == "output_text")


def _tool_fields(request: Request) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if request.tools:
        made["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "parameters": json_value(tool.parameters, f"the schema of {tool.name}"),
                "strict": False,
            }
            | ({"description": tool.description} if tool.description else {})
            for tool in request.tools
        ]
    if request.tool_choice:
        kind, _, name = request.tool_choice.partition(":")
        made["tool_choice"] = {"type": "function", "name": name} if kind == "tool" else kind
    return made


def read_response(endpoint: Endpoint, value: dict[str, Any]) -> Said:
    """Return what a response says.

    Raises:
        BadResponse: it has no output.
        UnreadableAnswer: the text of an item is none.
    """
    output = value.get("output")
    if not isinstance(output, list):
        raise no_answer(endpoint, "its output is not a list of items")
    said = read_items(endpoint, objects(output))
    said.finish = _finish_of(value)
    said.counts = read_usage(value.get("usage"))
    said.model = words(value.get("model"))
    return said


def _finish_of(value: dict[str, Any]) -> str | None:
    status = words(value.get("status"))
    if status.strip().lower() == "incomplete":
        return words(mapping(value.get("incomplete_details")).get("reason")) or None
    return status or None


def read_items(endpoint: Endpoint, items: Sequence[dict[str, Any]]) -> Said:
    """Return what the items of an output say. Where one is a thought, all of them are kept to go back as they are.

    Raises:
        UnreadableAnswer: the text of one is none.
    """
    texts: list[str] = []
    thoughts: list[str] = []
    said = Said()
    for item in items:
        match item.get("type"):
            case "message":
                texts += _texts_of(endpoint, item.get("content"), said)
            case "reasoning":
                told = objects(item.get("content")) or objects(item.get("summary"))
                thoughts.append("\n\n".join(filter(None, (words(part.get("text")) for part in told))))
            case "function_call" if words(item.get("name")):
                call_id = words(item.get("call_id")) or words(item.get("id")) or f"call_{len(said.tool_calls)}"
                said.tool_calls.append(ToolCall(call_id, item["name"], arguments_text(item.get("arguments"))))
    said.text = "".join(texts) if texts else None
    said.reasoning = "\n\n".join(filter(None, thoughts))
    said.opaque = list(items) if any(item.get("type") == "reasoning" for item in items) else []
    return said


def _texts_of(endpoint: Endpoint, content: Any, said: Said) -> list[str]:
    """Return the texts of a message's content, which some servers send as one text; a refusal and log-probabilities go into `said`."""
    if isinstance(content, str):
        return [content]
    texts: list[str] = []
    for part in objects(content):
        if part.get("type") == "refusal":
            said.refused = True
        elif words(part.get("type")) in {"output_text", "text"}:
            if not isinstance(part.get("text"), str):
                raise unreadable(endpoint, "the text of a part", part.get("text"))
            texts.append(part["text"])
            said.tokens += read_tokens({"content": part.get("logprobs")})
    return texts


class ResponsesReading(Reading):
    """One streamed response: pieces of its items, the items themselves, and in the end the whole response once more.

    Each of the three may be damaged or left out, so what one of them lacks is taken from the next. Pieces say something only if all of them came.
    """

    form = FORM

    def __init__(self, endpoint: Endpoint, request: Request, profile: Profile) -> None:
        super().__init__(endpoint, request, profile)
        self._items: dict[int, dict[str, Any]] = {}
        self._whole: dict[str, Any] | None = None
        self._fault: BadResponse | None = None
        """Why the pieces are not all there."""
        self._n_missed = 0
        """Events that could not be read: an item may have been in one."""

    @property
    def begun(self) -> bool:
        """Whether anything of an answer has come."""
        return super().begun or bool(self._items)

    def take(self, event: Event) -> None:
        """Take one event; kinds that are not known are skipped.

        Raises:
            ClientError: it reports a fault.
        """
        if event.data.strip() == b"[DONE]":
            self.done = self.finish is not None
            return
        n_missed = self._n_missed
        value = json_event(self, event.data)
        if self._n_missed > n_missed:
            return  # by its name alone the end would be taken for one that has nothing in it
        kind = words(value.get("type")) or event.name
        response = mapping(value.get("response"))
        if kind == "error" or response.get("error"):
            told = {"error": response.get("error") or {name: value.get(name) for name in ("code", "message")}}
            raise self.endpoint.stream_fault(told, begun=self.begun)
        match kind:
            case "response.output_text.delta":
                if isinstance(value.get("delta"), str):
                    self.texts.append(value["delta"])
                else:
                    self._fault = unreadable(self.endpoint, "a piece of the text", value.get("delta"))
            case "response.reasoning_text.delta" | "response.reasoning_summary_text.delta":
                self.thoughts.append(words(value.get("delta")))
            case "response.output_item.done":
                index = value.get("output_index")
                self._items[index if type(index) is int else len(self._items)] = mapping(value.get("item"))
            case _ if kind in _ENDED:
                self._whole = response
                self.finish = _finish_of(response) or kind.removeprefix("response.")
                self.done = True

    def garbled(self, fault: BadResponse) -> bool:
        """Note an event that cannot be read: what it held stands in the whole response once more."""
        self._fault = fault
        self._n_missed += 1
        return True

    def closed(self) -> None:
        """Hear that the response has come to an end.

        Raises:
            BadResponse: nothing of an answer has come, and something that cannot be read.
        """
        super().closed()
        if self._fault is not None and not self.begun and self.finish is None:
            raise self._fault

    def completion(self, *, seconds: float) -> Completion:
        """Return the answer, once it is whole.

        Raises:
            BadResponse: no place where its text should stand can be read.
        """
        told, fault = self._told()
        if fault is not None and not _says(told):
            raise fault
        return super().completion(seconds=seconds)

    def said(self) -> Said:
        """Return what has come: what the whole response says, else its items, else their pieces."""
        said, _ = self._told()
        if not _says(said):
            said.text = "".join(self.texts)
        said.reasoning = said.reasoning or "".join(self.thoughts)
        if self._whole is not None:
            said.counts, said.model = read_usage(self._whole.get("usage")), words(self._whole.get("model"))
        return said

    def _told(self) -> tuple[Said, BadResponse | None]:
        """Return what the whole response says, or else its items; and why the pieces do not say it, if they do not."""
        fault, thought = self._fault, Said()
        done = [] if self._n_missed else [item for _, item in sorted(self._items.items())]
        for items in (objects(mapping(self._whole).get("output")), done):
            try:
                told = read_items(self.endpoint, items)
            except UnreadableAnswer as error:
                fault = error
                continue
            if _says(told):
                told.reasoning = told.reasoning or thought.reasoning
                return told, fault
            thought = thought if thought.opaque else told
        return thought, fault


def _says(said: Said) -> bool:
    return bool(said.text or said.tool_calls or said.refused)


def read_usage(value: Any) -> Counts:
    """Read the counts of a response; what a total holds beyond its parts is completion."""
    usage = mapping(value)
    prompt, completion, total = (count(usage.get(name)) for name in ("input_tokens", "output_tokens", "total_tokens"))
    if prompt and total is not None and total > prompt + (completion or 0):
        completion = total - prompt
    cached = count(mapping(usage.get("input_tokens_details")).get("cached_tokens"))
    return Counts(prompt or None, completion, cached, count(mapping(usage.get("output_tokens_details")).get("reasoning_tokens")))
