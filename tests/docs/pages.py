"""The fenced blocks of the pages, and what each kind of them is tested by.

A page has a folder and a namespace of its own, and its blocks are taken in their order:

- ``python`` runs as a script does, with a file of its own as its source; with ``title="my_model.py"`` under that
  name, so that later blocks and commands find it.
- ``yaml`` is written to its ``title``, if it has one. A task, or a part of one, is checked as a task.
- ``console``: commands after ``$``. Those of lrsearch run in the page's folder, where ``tasks/`` is that of the
  project; trainings are short ones. ``pip install`` asks for extras that there are; ``python FILE`` runs.
- ``<!-- skip: next "why" -->`` before a block leaves it out. Whatever has no test has to have one, with its reason.
- ``<!--- invisible-code-block: python`` ... ``-->`` runs and is not shown: what a page takes for granted.
"""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
import yamlcore
from sybil import Document, Example, Region, Sybil
from sybil.parsers.markdown import CodeBlockParser, SkipParser
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer

import lrsearch.api
from lrsearch.cli import main
from lrsearch.task import parse_task
from lrsearch.task.schema import TaskBlock

CHECKOUT = Path(__file__).parents[2]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
ITERATIONS, SEEDS = 20, 1
"""The most that a training has here, and how many seeds a candidate, however much a page gives it."""
INFO = re.compile(r"[ \t]*(?P<info>[^\n]*)\n")
TITLE = re.compile(r'title="([^"]+)"')
MINIMAL = {
    "name": "part",
    "workload": "part.py:part",
    "budget": {"iterations": 100, "evaluate_every": 10},
    "optimizers": {
        "adamw": {
            "lr": {"start": 1e-3},
            "weight_decay": {"start": 1e-2, "ladder": "lr"},
            "cprop": {"c": {"start": 1}, "beta": {"start": 0.9}},
        }
    },
}
"""A task that a part of one fits into: whatever has limits by itself is searched in it."""


class Fences:
    """Finds every fenced block, of whatever language or none."""

    def __init__(self, evaluate: Callable[[Example], None]) -> None:
        self._lexer = RawFencedCodeBlockLexer(INFO)
        self._evaluate = evaluate

    def __call__(self, document: Document) -> Iterable[Region]:
        for region in self._lexer(document):
            region.parsed = (region.lexemes["info"].strip(), str(region.lexemes["source"]))
            region.evaluator = self._evaluate
            yield region


class Page:
    """A page whose blocks run in their order, in a folder and a namespace of the page's own."""

    def __init__(self, path: Path) -> None:
        self.name = path.relative_to(CHECKOUT).as_posix()
        hidden = CodeBlockParser("python", self._run_hidden)
        hidden.lexers[:] = hidden.lexers[
            1:
        ]  # the fenced ones are found by Fences, whatever else their line says
        self.examples: list[Example] = [*Sybil([SkipParser(), hidden, Fences(self._test)]).parse(path)]
        self._folder = Path()
        self.module = ModuleType("__main__")
        self._done = 0

    @property
    def blocks(self) -> list[int]:
        """The lines on which its fenced blocks begin."""
        return [
            e.line for e in self.examples if isinstance(e.region.parsed, tuple) and len(e.region.parsed) == 2
        ]

    def begin(self, folder: Path) -> None:
        """Begin in an empty folder, to which the project's own tasks are copied."""
        self._folder = folder
        (folder / "tasks").mkdir()
        for file in (CHECKOUT / "tasks").iterdir():
            if file.suffix in (".py", ".yaml"):
                self._write(Path("tasks", file.name), file.read_text(encoding="utf-8"))

    def end(self) -> None:
        """Leave none of its files among the modules."""
        for name, module in [*sys.modules.items()]:
            if str(getattr(module, "__file__", None) or "").startswith(f"{self._folder}{os.sep}"):
                del sys.modules[name]

    def test(self, line: int) -> None:
        """Test the block on a line, after those before it that were not yet."""
        while self._done < len(self.examples) and self.examples[self._done].line <= line:
            example = self.examples[self._done]
            self._done += 1
            example.evaluate()

    def _test(self, example: Example) -> None:
        info, source = example.region.parsed
        language, _, rest = info.partition(" ")
        title = match[1] if (match := TITLE.search(rest)) else None
        test = {"python": self._python, "yaml": self._yaml, "console": self._console}.get(language)
        assert test is not None, (
            f'a block of {language or "no language"} has no test: <!-- skip: next "why" -->'
        )
        test(source, title, example.line)

    def _run_hidden(self, example: Example) -> None:
        self._python(str(example.parsed), None, example.line)

    def _python(self, source: str, title: str | None, line: int) -> None:
        """Run it; its source lies in a file, as what is searched is known by its code."""
        path = self._write(Path(title or f"line_{line}.py"), source)
        self.module.__file__ = str(path)
        exec(compile(source, path, "exec"), self.module.__dict__)

    def _yaml(self, source: str, title: str | None, line: int) -> None:
        content = yaml.load(source, yamlcore.CoreLoader)
        path = self._folder / (title or f"line_{line}.yaml")
        if isinstance(content, dict) and content.keys() <= TaskBlock.model_fields.keys():
            missing = {
                k: v
                for k, v in MINIMAL.items()
                if k not in content and not (k == "workload" and "loop" in content)
            }
            parse_task(source + (yaml.safe_dump(missing) if missing else ""), path)
        if title:
            self._write(Path(title), source)

    def _console(self, source: str, title: str | None, line: int) -> None:
        commands = [
            shlex.split(text[2:], comments=True) for text in source.splitlines() if text.startswith("$ ")
        ]
        assert commands, "a block of console has no line that begins with $"
        for words in commands:
            self._command(words)

    def _command(self, words: list[str]) -> None:
        match words:
            case ["lrsearch", command, *rest]:
                short = (
                    ["--engine", "inline"]
                    if command in ("run", "resume", "compare") and "--dry-run" not in rest
                    else []
                )
                status = main([command, *rest, *(short if "--engine" not in rest else [])])
                assert status == 0, f"{shlex.join(words)} ended with {status}"
            case ["pip", "install", *rest]:
                _check_extras(rest)
            case ["python", file, *rest]:
                subprocess.run([sys.executable, file, *rest], cwd=self._folder, check=True)
            case _:
                raise AssertionError(
                    f'{shlex.join(words)} has no test: <!-- skip: next "why" --> before its block'
                )

    def _write(self, name: Path, text: str) -> Path:
        """Write a file of the page, a task with a short training."""
        assert not name.is_absolute()
        assert ".." not in name.parts
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_short(text) if path.suffix == ".yaml" else text, encoding="utf-8")
        return path


def short_search(*given: Any, iterations: int, **others: Any) -> Any:
    """``lrsearch.search`` with short trainings."""
    iterations = min(iterations, ITERATIONS)
    if "evaluate_every" in others:
        others["evaluate_every"] = min(others["evaluate_every"], iterations // 2)
    return lrsearch.api.search(*given, iterations=iterations, **{"seeds": SEEDS} | others)


def _short(text: str) -> str:
    """A task with few iterations and seeds; other YAML as it is."""
    content: Any = yaml.load(text, yamlcore.CoreLoader)
    if not (isinstance(content, dict) and {"name", "budget", "optimizers"} <= content.keys()):
        return text
    iterations = min(content["budget"]["iterations"], ITERATIONS)
    every = min(content["budget"]["evaluate_every"], iterations // 2)
    content["budget"] = {"iterations": iterations, "evaluate_every": every}
    content["seeds"] = min(SEEDS, seeds) if isinstance(seeds := content.get("seeds", SEEDS), int) else seeds
    return yaml.safe_dump(content, sort_keys=False)


def _check_extras(words: Iterable[str]) -> None:
    """Every extra that an installation asks for is one of the project's."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words:
        if match := re.search(r"\[(.*)\]", word):
            unknown = {*match[1].split(",")} - project["optional-dependencies"].keys()
            assert not unknown, f"{word} asks for an extra that there is not"
