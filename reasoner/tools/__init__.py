"""Tools: typed functions a model may call, one file each for those that come along, found by their file's name.

A tool has a name, a description and a JSON schema for the model, an effect, a time limit and a bound on what it gives back. What it
cannot do it says in text, for the model to read. The whole of one:

    @reasoner.tool
    def convert(amount: float, rate: float) -> float:
        \"\"\"Convert an amount of money.

Args:
            amount: The amount.
            rate: What one unit is worth.
        \"\"\"
        return amount * rate

Importing this package imports no tool. Tools are only ever called in `reasoner.calling.actor`, which records what they do.
"""

from reasoner.tools._function import FunctionTool, tool
from reasoner.tools._mcp import McpServers
from reasoner.tools._mcp_config import read_config
from reasoner.tools._open import open_tools
from reasoner.tools._tool import MAX_ARGUMENTS_CHARS, NO_OUTPUT, Arguments, Effect, Lent, Result, Tool, bounded, read_arguments

__all__ = [
    "MAX_ARGUMENTS_CHARS",
    "NO_OUTPUT",
    "Arguments",
    "Effect",
    "FunctionTool",
    "Lent",
    "McpServers",
    "Result",
    "Tool",
    "bounded",
    "open_tools",
    "read_arguments",
    "read_config",
    "tool",
]
