"""Types cells into a real IPython at the other end of a pseudo-terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pexpect

from .cells import Cell, statements
from .seen import Seen, without_escapes

#: Seconds for an input to be done with.
_TIMEOUT = 90.0

#: Seconds for the shell to end when it is left.
_GRACE = 20.0

_PROMPT = r"In \[\d+\]: "
_CONTINUATION = r" +\.\.\.: "
_DEBUGGER = r"ipdb> "

#: IPython asks for pastes to be marked while it reads, that is, with each prompt.
_READS = "\x1b[?2004h"
_READS_NO_MORE = "\x1b[?2004l"
_PASTE, _PASTE_END = "\x1b[200~", "\x1b[201~"

#: So many empty lines end any statement.
_ENOUGH = 3

_VALUE = re.compile(r"^Out\[\d+\]: (?P<value>.*)", re.MULTILINE | re.DOTALL)


class Terminal:
    """An IPython without a line editor, into which each line is typed at its prompt.

    A terminal takes one statement at a time, and ends a compound one at an empty line: a cell of
    several statements is several inputs here.
    """

    options: tuple[str, ...] = ("--simple-prompt",)

    def __init__(self, python: str, folder: Path, env: Mapping[str, str], told: Path) -> None:
        self._told = told
        self._shell: pexpect.spawn[str] = pexpect.spawn(
            python,
            [
                "-m",
                "IPython",
                "--no-banner",
                "--colors=NoColor",
                "--no-confirm-exit",
                f"--InteractiveShellApp.exec_files={Path(__file__).with_name('told.py')}",
                *self.options,
            ],
            cwd=str(folder),
            env={**env, "PAGER": "cat", "TERM": "dumb", **self._more_env()},
            encoding="utf-8",
            codec_errors="replace",
            echo=False,
            timeout=_TIMEOUT,
            dimensions=(200, 200),
        )
        self._shell.delaybeforesend = None  # what is typed is typed at a prompt

    def play(self, cells: Sequence[Cell]) -> Iterator[Seen]:
        """Type the cells; what came of each.

        Raises
        ------
        pexpect.ExceptionPexpect
            The shell did not come back to its prompt, or ended.
        """
        self._open()
        for cell in cells:
            seen = Seen()
            for statement in statements(cell.typed):
                self._type(statement, cell.answers, seen)
                if seen.errors:
                    break
            yield seen

    def end(self) -> None:
        """Leave the shell as a user does, or else kill it."""
        if self._shell.isalive():
            self._shell.sendline("exit")
            with suppress(pexpect.TIMEOUT):
                self._shell.expect(pexpect.EOF, timeout=_GRACE)
        self._shell.close(force=True)

    def _more_env(self) -> dict[str, str]:
        return {}

    def _open(self) -> None:
        self._shell.expect(_PROMPT)

    def _type(self, statement: str, answers: Sequence[str], seen: Seen) -> None:
        lines = [line for line in statement.splitlines() if line.strip()]
        for line in [*lines, *[""] * _ENOUGH]:
            self._shell.sendline(line)
            at = self._shell.expect([_PROMPT, _CONTINUATION, _DEBUGGER])
            self._add(self._shell.before or "", seen)
            if at == 2:
                self._debug(answers, seen)
            if at != 1:
                break
        self._add_errors(seen)

    def _debug(self, answers: Sequence[str], seen: Seen) -> None:
        for answer in answers:
            self._shell.sendline(answer)
            self._shell.expect_exact(_DEBUGGER)
            self._add(self._shell.before or "", seen)
        self._shell.sendline("q")
        self._shell.expect(_PROMPT)

    def _add(self, shown: str, seen: Seen) -> None:
        text = without_escapes(shown).replace("\r\n", "\n")
        seen.text += text
        if value := _VALUE.search(text):
            seen.value = value["value"].strip()

    def _add_errors(self, seen: Seen) -> None:
        seen.errors = json.loads(self._told.read_text().splitlines()[-1])


class PastingTerminal(Terminal):
    """An IPython with its line editor, into which each cell is pasted as a whole."""

    options = ()

    def _more_env(self) -> dict[str, str]:
        return {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}

    def _open(self) -> None:
        self._shell.expect_exact(_READS)

    def play(self, cells: Sequence[Cell]) -> Iterator[Seen]:
        """Paste the cells; what came of each."""
        self._open()
        for cell in cells:
            seen = Seen()
            # an empty line ends any statement, and none is left open when Enter is pressed
            self._shell.send(f"{_PASTE}{cell.typed}\n\n{_PASTE_END}\r")
            self._shell.expect_exact(_READS_NO_MORE)
            self._shell.expect_exact(_READS)
            self._add(self._shell.before or "", seen)
            self._add_errors(seen)
            yield seen
