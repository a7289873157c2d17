"""Where in a workload file something is written: TOML readers do not say, so it is found by its text."""

from __future__ import annotations

import re
from bisect import bisect_right

_COMMENT_OR_TEXT = re.compile(r"\"\"\".*?\"\"\"|'''.*?'''|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|#[^\n]*", re.DOTALL)


class Lines:
    """A cursor over the text. Keys are looked for in the order in which the file has them."""

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self._text = _COMMENT_OR_TEXT.sub(_without_keys, text)
        self._newlines = [match.start() for match in re.finditer("\n", text)]
        self._cursor = 0
        self.line: int | None = None

    def header(self, *path: str) -> int | None:
        """Go to the table `[a.b]`, or to the key that begins it; the cursor may go back."""
        dotted = r"\s*\.\s*".join(rf"[\"']?{re.escape(part)}[\"']?" for part in path)
        found = re.search(rf"^\s*\[+\s*{dotted}\s*[.\]]", self._text, re.MULTILINE)
        if found is None:
            found = re.search(rf"(?<![\w-])[\"']?{re.escape(path[-1])}[\"']?\s*=", self._text)
        return self._at(found)

    def key(self, name: str) -> int | None:
        """The next place where `name` is a key or stands alone as a text; the cursor moves past it."""
        written = re.escape(name)
        pattern = re.compile(rf"(?<![\w-])[\"']?{written}[\"']?\s*=|[\"']{written}[\"']")
        return self._at(pattern.search(self._text, self._cursor))

    def _at(self, found: re.Match[str] | None) -> int | None:
        if found is not None:
            begin = found.start() + len(found[0]) - len(found[0].lstrip())
            self._cursor = found.end()
            self.line = bisect_right(self._newlines, begin) + 1
        return self.line


def _without_keys(found: re.Match[str]) -> str:
    """A comment or text without what could be taken for a key; as long as before."""
    text = found[0]
    if text.startswith(("#", '"""', "'''")):
        return re.sub(r"[^\n]", " ", text)
    return text.replace("=", " ")
