"""The cells of a tutorial whose text was flattened: what its reader would type, and nothing else.

Two kinds of text are read:

- a **notebook** (`notebook_cells`): a line ``In [5]:`` stands before each code cell. What follows
  the code, up to the next such line, is the recorded output and then prose, with no mark between
  them: an empty line stands between the three, but also within the code;
- a **page** (`page_cells`) of documentation: the prompts are part of the line (``In [4]: code``,
  ``....: code``), all indentation is lost, and everything else is output or prose.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

#: A line that announces a code cell of a notebook; it says nothing else.
_NOTEBOOK_PROMPT = re.compile(r"In \[(?P<number>\d+|None| )\]:\s*")

_PAGE_PROMPT = re.compile(r"In \[\d+\]: ?(?P<code>.*)")
_PAGE_CONTINUATION = re.compile(r"\s*\.{3,}: ?(?P<code>.*)")
_DEBUGGER_PROMPT = re.compile(r"ipdb> (?P<code>.*)")

#: Where a page asks its reader to press the tabulator.
_TAB = re.compile(r"<tab>$", re.IGNORECASE)

#: Shows what the tabulator would: IPython calls the same.
_COMPLETE = """\
from IPython.core.completer import provisionalcompleter
with provisionalcompleter():
    print([found.text for found in get_ipython().Completer.completions({0!r}, len({0!r}))])"""

#: Begins a line that closes one suite of a statement and opens another.
_REOPENS = re.compile(r"(elif|else|except|finally)\b")


@dataclass(frozen=True)
class Cell:
    """What is typed in one go.

    Parameters
    ----------
    code : str
        Without prompts, indented as it has to be.
    answers : tuple of str
        What is then typed at the debugger's prompt.
    completes : bool
        The tabulator is pressed behind the code, instead of Enter.
    """

    code: str
    answers: tuple[str, ...] = ()
    completes: bool = False

    @property
    def typed(self) -> str:
        """What a session is given, which may have no tabulator to press."""
        return _COMPLETE.format(self.code) if self.completes else self.code


def statements(code: str) -> list[str]:
    """The statements of a cell, each as its source: what a terminal takes at a time.

    A line magic is a statement, and so is a cell magic with its body, or a cell that is not Python.
    Statements of one line stay together.
    """
    if code.startswith("%%") or not _is_python(code):
        return [code]
    spans: list[tuple[int, int]] = []
    for node in _parse(code).body:
        assert node.end_lineno is not None
        begin = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        if spans and begin <= spans[-1][1]:
            begin = spans.pop()[0]
        spans.append((begin, node.end_lineno))
    lines = code.splitlines()
    return ["\n".join(lines[begin - 1 : end]) for begin, end in spans]


def notebook_cells(text: str) -> list[Cell]:
    """The code cells of a flattened notebook."""
    cells: list[Cell] = []
    block: list[str] | None = None
    executed = False
    for line in [*text.splitlines(), "In [None]:"]:
        prompt = _NOTEBOOK_PROMPT.fullmatch(line)
        if prompt is None:
            if block is not None:
                block.append(line)
            continue
        if block is not None:
            cells.append(Cell(_code_at_the_start(block, executed)))
        block = []
        executed = prompt["number"].isdigit()
    return cells


def fenced_blocks(text: str, language: str) -> list[str]:
    """The blocks that a notebook's prose shows between fences of three back quotes."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def page_cells(text: str) -> list[Cell]:
    """The inputs that a page shows at prompts."""
    cells: list[list[str]] = []
    answers: list[list[str]] = []
    continues = False
    for line in text.splitlines():
        if prompt := _PAGE_PROMPT.fullmatch(line):
            cells.append([prompt["code"]])
            answers.append([])
        elif continues and (more := _PAGE_CONTINUATION.fullmatch(line)):
            cells[-1].append(more["code"])
        elif cells and (reply := _DEBUGGER_PROMPT.fullmatch(line)):
            answers[-1].append(reply["code"])
        continues = bool(prompt or (continues and _PAGE_CONTINUATION.fullmatch(line)))
    return [_page_cell(lines, typed) for lines, typed in zip(cells, answers, strict=True)]


def loose_blocks(text: str) -> list[str]:
    """The code that a page shows without prompts: from an ``import`` on, as far as it is Python."""
    blocks: list[list[str]] = []
    open_block = False
    for line in text.splitlines():
        if open_block and _is_python(line):
            blocks[-1].append(line)
        elif open_block := line.startswith("import ") and _is_python(line):
            blocks.append([line])
    return ["\n".join(block) for block in blocks]


# -- notebooks


def _code_at_the_start(lines: list[str], executed: bool) -> str:
    """The code that `lines` begin with, before recorded output and prose.

    The paragraphs up to an empty line are taken one by one, as long as all that was taken is
    Python. Output may be Python too (``[0, 1]``), but follows only a cell that shows a value.
    """
    paragraphs = list(_paragraphs(lines))
    code = paragraphs[0]
    taken = 1
    for i, paragraph in enumerate(paragraphs[1:], 2):
        if code.startswith("%%") or _ends_in_magic(code):
            break  # what these print cannot be told from code
        if executed and _ends_in_expression(code) and _is_expression(paragraph):
            break
        longer = f"{code}\n\n{paragraph}"
        if not _is_python(longer):
            break
        code = longer
        if not _is_comment(paragraph):  # a heading of the prose looks like one
            taken = i
    return "\n\n".join(paragraphs[:taken]).rstrip()


def _paragraphs(lines: list[str]) -> Iterator[str]:
    paragraph: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            paragraph.append(line)
        elif paragraph:
            yield "\n".join(paragraph)
            paragraph = []


def _ends_in_magic(code: str) -> bool:
    return code.splitlines()[-1].startswith(("%", "!"))


def _ends_in_expression(code: str) -> bool:
    return isinstance(_parse(code).body[-1], ast.Expr)


def _is_expression(code: str) -> bool:
    try:
        ast.parse(code.strip(), mode="eval")
    except SyntaxError:
        return False
    return True


def _is_comment(paragraph: str) -> bool:
    return all(line.lstrip().startswith("#") for line in paragraph.splitlines())


# -- pages


def _page_cell(lines: list[str], answers: list[str]) -> Cell:
    while lines and not lines[-1].strip():
        lines.pop()
    code = "\n".join(lines)
    if _TAB.search(code):
        return Cell(_TAB.sub("", code), completes=True)
    if not _is_python(code) and len(lines) > 1:
        code = _indented(lines)
    return Cell(code, tuple(answer for answer in answers if not _TAB.search(answer)))


def _indented(lines: list[str]) -> str:
    """The lines of one compound statement with their indentation put back.

    Each line after a colon is one level deeper; only ``else`` and its like come back, as nothing
    in the text tells where else a suite ends.
    """
    depth = 0
    indented = []
    for line in lines:
        stripped = line.strip()
        if _REOPENS.match(stripped):
            depth -= 1
        indented.append("    " * depth + stripped)
        if stripped.endswith(":"):
            depth += 1
    return "\n".join(indented)


# -- both


def _is_python(code: str) -> bool:
    try:
        _parse(code)
    except SyntaxError:
        return False
    return True


def _parse(code: str) -> ast.Module:
    return ast.parse("\n".join(map(_without_magic, code.splitlines())))


def _without_magic(line: str) -> str:
    """The line, or a statement in the place of a magic."""
    stripped = line.lstrip()
    if stripped.startswith(("%", "!")):
        return line[: len(line) - len(stripped)] + "pass"
    return line
