"""What is wrong with a packet in words: where, what was expected there, and an example that works."""

from __future__ import annotations


class SpokenError(Exception):
    """A packet that was not understood.  `column` counts from 1 and may be one behind the end of `text`."""

    def __init__(self, text: str, column: int, expected: str, example: str) -> None:
        self.text = text
        self.column = column
        self.expected = expected
        self.example = example
        super().__init__(self._render())

    def _render(self) -> str:
        shown = "".join(letter if letter.isprintable() else "?" for letter in self.text)
        where = f"column {self.column}: expected {self.expected}"
        return f"{where}\n    {shown}\n    {' ' * (self.column - 1)}^\n    for example: {self.example}"
