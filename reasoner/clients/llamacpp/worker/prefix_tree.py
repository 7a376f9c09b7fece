"""The prefix tree: which token prefixes are in the cache, and which sequence of llama.cpp holds each.

A compressed tree over tokens. Every leaf is held by one sequence, which holds the whole path from the root; an inner node is held by
whatever lies below it. Knows tokens, sequence numbers and when a node was last of use; does not know llama.cpp: what has to happen to
the cells is told to a `Cells`.

    tree = PrefixTree(cells, patience_tokens=4000)
    tree.insert((1, 2, 3, 4), seq=7)
    tree.match((1, 2, 3, 9)) -> Match(length=3, seq=7)

When a node goes: the least recently used first, when room is needed; and even where there is room, once it has cost as much as it
could save. A cell that is only kept is looked at by every token that is decoded meanwhile (it is masked, not skipped), so after
`patience_tokens` of them it would have been as cheap to read it anew. What no second request has ever used gets a small share of that
patience, since most answers are never continued, and every use doubles it; a turn of a conversation that is to go on gets all of it. The
small share is still too much for a lone prompt that shares nothing with it: `evict_unused` is for that moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

UNUSED_SHARE = 1 / 16
"""The share of the patience for what no second request has used."""
USES_OF_CONTINUED = 4
"""So many uses give the whole patience; what is to be continued is counted as used so often."""

Tokens = tuple[int, ...]


class Cells(Protocol):
    """The cache of a model, as far as the tree touches it."""

    def trim(self, seq: int, length: int) -> None:
        """Drop what a sequence holds beyond its first tokens."""

    def free(self, seq: int) -> None:
        """Drop a sequence; its number may be given out again."""

    def share(self, source: int, target: int, length: int) -> None:
        """Let a sequence that holds the same first tokens as another hold them in the same cells."""


@dataclass(slots=True, eq=False)
class Node:
    """A piece of a path.

    `seq` is the sequence that ends here (leaves only); `pins` counts running requests that build on it, `uses` the requests that found it
    in the cache.
    """

    tokens: Tokens
    start: int
    parent: Node | None
    last_used: int
    uses: int = 0
    seq: int | None = None
    pins: int = 0
    children: dict[int, Node] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """How many tokens the path down to the end of this node has."""
        return self.start + len(self.tokens)


@dataclass(frozen=True, slots=True)
class Match:
    """The longest prefix in the cache, and a sequence that holds it (None when nothing matches)."""

    length: int
    seq: int | None


class PrefixTree:
    """See the module."""

    def __init__(self, cells: Cells, *, patience_tokens: int) -> None:
        self._cells = cells
        self._patience_tokens = patience_tokens
        self._root = Node((), 0, None, 0)
        self.clock = 0
        """Tokens decoded so far; whoever decodes moves it on."""
        self.n_cells = 0
        """Cells that the tree holds."""

    def match(self, tokens: Sequence[int]) -> Match:
        """Return the longest prefix of the tokens that is cached."""
        node, length = self._descend(tokens)
        return Match(length, self._holder(node)) if length else Match(0, None)

    def pin(self, tokens: Sequence[int], length: int, *, counts: bool = True) -> Node:
        """Mark a cached prefix of so many tokens as used, and keep it from being evicted until `unpin`.

        `counts` is False for whoever put it there itself: that it uses it says nothing of whether anybody else will.
        """
        node, found = self._descend(tokens[:length])
        if found < length:
            raise LookupError(f"{found} tokens are cached, {length} were to be pinned")
        if length < node.end:
            node = self._split(node, length)
        node.pins += 1
        at: Node | None = node
        while at is not None:
            at.last_used = self.clock
            at.uses += counts
            at = at.parent
        return node

    def unpin(self, node: Node) -> None:
        """Give a pinned node free."""
        node.pins -= 1
        node.last_used = self.clock

    def insert(self, tokens: Sequence[int], seq: int, *, continued: bool = False) -> None:
        """Take over a sequence that holds these tokens; what becomes superfluous by it is freed, the sequence itself if nothing is new.

        `continued` says that whoever put it there will most likely go on from it.
        """
        node, length = self._descend(tokens)
        uses = USES_OF_CONTINUED if continued else 0
        if length == len(tokens):
            node.uses = max(node.uses, uses)
            node.last_used = max(node.last_used, self.clock)
            self._cells.free(seq)
            return
        if length:
            # It may have read them for itself, at the same time as another one.
            self._cells.share(self._holder(node), seq, length)
        if length < node.end:
            node = self._split(node, length)
        if node.seq is not None:  # a leaf no longer: what is inserted holds its tokens as well
            self._cells.free(node.seq)
            node.seq = None
        leaf = Node(tuple(tokens[length:]), length, node, self.clock, uses=uses, seq=seq)
        node.children[leaf.tokens[0]] = leaf
        self.n_cells += len(leaf.tokens)

    def evict(self) -> bool:
        """Drop the least recently used leaf, never-reused ones first; False when every leaf is in use."""
        leaves = [leaf for leaf in self._leaves() if leaf.pins == 0]
        if not leaves:
            return False
        self._drop(min(leaves, key=lambda leaf: (leaf.uses > 0, leaf.last_used)))
        return True

    def evict_stale(self, *, ahead: int = 0) -> None:
        """Drop what will have cost more than it could save once so many more tokens are decoded."""
        while True:
            stale = [leaf for leaf in self._leaves() if leaf.pins == 0 and self._is_stale(leaf, self.clock + ahead)]
            if not stale:
                return
            for leaf in stale:
                self._drop(leaf)

    def evict_unused(self) -> None:
        """Drop every leaf that no second request has used, and nobody uses now, and what becomes such a leaf by it."""
        while unused := [leaf for leaf in self._leaves() if not leaf.pins and not leaf.uses]:
            for leaf in unused:
                self._drop(leaf)

    def drop_unused(self, node: Node) -> None:
        """Drop a leaf that no second request has used, and nobody uses now."""
        if not node.children and node.seq is not None and not node.pins and not node.uses:
            self._drop(node)

    def clear(self) -> None:
        """Drop everything that is not pinned."""
        while self.evict():
            pass

    def _is_stale(self, leaf: Node, clock: int) -> bool:
        patience = self._patience_tokens * min(1.0, UNUSED_SHARE * 2.0 ** min(leaf.uses, 8))
        return clock - leaf.last_used > patience

    def _drop(self, leaf: Node) -> None:
        parent = leaf.parent
        assert parent is not None
        assert leaf.seq is not None
        del parent.children[leaf.tokens[0]]
        self.n_cells -= len(leaf.tokens)
        if parent.children or parent.parent is None:
            self._cells.free(leaf.seq)
        else:
            # The parent becomes a leaf, and needs a sequence of its own: what is left of this one.
            self._cells.trim(leaf.seq, parent.end)
            parent.seq = leaf.seq

    def _descend(self, tokens: Sequence[int]) -> tuple[Node, int]:
        """Return the node in which the longest match ends, and its length in tokens."""
        node, length = self._root, 0
        while length < len(tokens):
            child = node.children.get(tokens[length])
            if child is None:
                break
            piece = tuple(tokens[length : length + len(child.tokens)])
            node = child
            if piece == child.tokens:
                length += len(piece)
                continue
            length += next((i for i, (a, b) in enumerate(zip(piece, child.tokens, strict=False)) if a != b), len(piece))
            break
        return node, length

    def _split(self, node: Node, length: int) -> Node:
        """Cut a node so that one ends at this length; return the upper part."""
        parent = node.parent
        assert parent is not None
        at = length - node.start
        upper = Node(node.tokens[:at], node.start, parent, node.last_used, uses=node.uses)
        parent.children[upper.tokens[0]] = upper
        node.tokens, node.start, node.parent = node.tokens[at:], length, upper
        upper.children[node.tokens[0]] = node
        return upper

    def _holder(self, node: Node) -> int:
        """Return a sequence that holds the path down to a node."""
        while node.seq is None:
            node = next(iter(node.children.values()))
        return node.seq

    def _leaves(self) -> Iterator[Node]:
        stack = [*self._root.children.values()]
        while stack:
            node = stack.pop()
            if node.children:
                stack.extend(node.children.values())
            else:
                yield node
