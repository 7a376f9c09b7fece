"""An OpenAI- and Anthropic-compatible endpoint, and a viewer of what was recorded.

    reasoner serve --model local          POST /v1/chat/completions with "model": "ats/local"
    reasoner view                         the pages alone
    reasoner report last -o report.html   one file to send

Needs the extra `serve` (starlette, uvicorn); importing this package imports neither. The endpoint knows wire formats and runs everything
through `reasoner.runs.runner`; the pages only read the store. Nothing here fetches a URL.
"""
