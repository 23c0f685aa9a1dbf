"""YAML text -> plain data and where each key of it stands. Nothing here knows what a task is."""

import copy
import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from yamlcore import CoreLoader

from lrsearch.errors import TaskError
from lrsearch.task.model import Position

Key = tuple[str | int, ...]

_DEEPEST = 50
_LARGEST_INTEGER = 2**63 - 1

# PyYAML's words for what goes wrong, by how they begin, in a user's words.
_IN_PLAIN_WORDS = {
    "found character '\\t'": "a tab stands here; indent with spaces",
    "found character": "a value cannot begin with this character; put the value in quotes",
    "mapping values are not allowed here": "a colon cannot stand here; put the text in quotes, or indent "
    "this line like the keys beside it",
    "expected <block end>, but found '<scalar>'": "text cannot stand here, behind a value that has ended; put all of "
    "the value in quotes",
    "expected <block end>, but found ':'": "a key is missing before this colon; write KEY: VALUE",
    "expected <block end>": "this does not line up with what stands above; indent keys of one level alike",
    "expected ',' or '}'": "the { of line {line} is not closed before this; add } or a comma",
    "expected ',' or ']'": "the [ of line {line} is not closed before this; add ] or a comma",
    "expected the node content": "a value is missing here; write one, or remove what is left open",
    "found unexpected end of stream": "the quote of line {line} is not closed; add the closing quote",
    "found unexpected document separator": "the quote of line {line} is not closed; add the closing quote",
    "could not find expected ':'": "this line has no colon with a space behind it; write KEY: VALUE",
    "expected '<document start>'": "the task has ended above this line; remove what ended it, and write lines of "
    "KEY: VALUE alone",
    "sequence entries are not allowed here": "a list's dash cannot stand here; begin a new line before it",
    "but found another document": "a second document begins here; keep one task a file",
    "found unknown escape character": "this escape is not known between double quotes; use single quotes",
    "expected alphabetic or numeric character": "text that begins with * or & stands here; put it in quotes",
    "expected escape sequence": "this escape is not known between double quotes; use single quotes",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: the key that it is about (or its nearest parent), and a sentence."""

    key: Key
    sentence: str


@dataclass(frozen=True)
class Document:
    """A YAML file's content: dicts with text for keys, lists, texts, finite numbers, booleans and None."""

    path: Path | str
    data: Any
    positions: Mapping[Key, Position]

    def refuse(self, problems: Iterable[Problem]) -> None:
        """Raise the first problem by its place in the file, saying how many more there are.

        Raises:
            TaskError: there is a problem.
        """
        ordered = sorted(problems, key=lambda problem: self.position(problem.key))
        if not ordered:
            return
        line, column = self.position(ordered[0].key)
        more = f" (and {len(ordered) - 1} more)" if len(ordered) > 1 else ""
        raise TaskError(f"{self.path}:{line}:{column}", ordered[0].sentence + more)

    def without(self, keys: Iterable[Key]) -> "Document":
        """Give the document with what stands under some keys left out, to see what else is wrong in it."""
        data = copy.deepcopy(self.data)
        for *parents, last in keys:
            inner = data
            for part in parents:
                inner = inner.get(part) if isinstance(inner, dict) else None
            if isinstance(inner, dict):
                inner.pop(last, None)
        return replace(self, data=data)

    def position(self, key: Key) -> tuple[int, int]:
        """Give line and column of a key, or of its nearest parent where it is not in the file."""
        while key not in self.positions:
            key = key[:-1]
        return self.positions[key].line, self.positions[key].column


def read_document(text: str, path: Path | str) -> Document:
    """Read YAML of the core schema (``1e-3`` is a number) without tags, anchors and aliases.

    Raises:
        TaskError: it is no YAML, or holds what no task file needs: tags (which can construct objects),
            aliases (which can grow without end), doubled keys, keys that are not text, NaN, infinity,
            integers over 64 bits.
    """
    try:
        node, scalars = _compose(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise TaskError(
            f"{path}:{line}:{column}", "an invisible control character stands here; remove it"
        ) from None
    except yaml.MarkedYAMLError as error:
        # PyYAML notices only in the next line that this one has no colon.
        mark = error.context_mark if f"{error.problem}".startswith("could not find") else error.problem_mark
        assert mark is not None
        problem = _in_plain_words(error, "".join(text.splitlines()[mark.line : mark.line + 1]))
        raise TaskError(f"{path}:{mark.line + 1}:{mark.column + 1}", problem) from None
    except (ValueError, OverflowError):
        # PyYAML converts an escape such as "\UFFFFFFFF" without checking it.
        problem = "holds an escape (\\U...) that stands for no character; remove it"
        raise TaskError(str(path), problem) from None
    reading = _Reading(scalars)
    data = None if node is None else reading.value_of(node, ())
    if data is None and not reading.problems:
        raise TaskError(str(path), "is empty; write a task, or begin with: lrsearch init")
    document = Document(path, data, reading.positions)
    document.refuse(reading.problems)
    return document


def dotted(key: Key) -> str:
    """Give a key as a person writes it: ``optimizers.sgd.lr``, ``betas[1]``."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{_plain(part)}" if text else _plain(part)
    return text


def shown(value: Any) -> str:
    """Give a value for a message: short, on one line, as YAML would have it."""
    match value:
        case None:
            return "empty"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{value:.12g}"
        case str():
            return _quoted(value)
        case list():
            items = f"[{', '.join(shown(item) for item in value[:4])}]"
            return items if len(value) <= 4 and len(items) <= 40 else "a list"
    return "a mapping"


def is_quoted_number(value: object) -> bool:
    """Whether a value is text that would be a number without its quotes."""
    return isinstance(value, str) and _resolved(value) in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def is_digits_with_marks(value: object) -> bool:
    """Whether a value is text because of the marks between its digits: ``1_000``, ``1,000``."""
    return isinstance(value, str) and re.fullmatch(r"\d+([_,' ]\d+)+", value) is not None


def listed(words: Sequence[str], between: str = ", ") -> str:
    """Give words on one line, the middle left out where there are many."""
    return between.join(words if len(words) <= 12 else [*words[:6], "...", *words[-2:]])


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """Give ``did you mean X?`` for the nearest of the known words, else the other remedy."""
    near = difflib.get_close_matches(word, list(known)[:100], n=1)
    return f"did you mean {near[0]}?" if near else otherwise


class _Loader(CoreLoader):  # type: ignore[misc]
    """Composes nodes, but for tags, anchors, aliases and nesting without end."""

    depth = 0

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:  # noqa: N803 - PyYAML's name
        if (
            self.flow_level >= _DEEPEST
        ):  # here and not when it is composed: until then the time grows with its square
            problem = f"this is nested more than {_DEEPEST} levels deep; write it flatter"
            raise yaml.MarkedYAMLError(note=problem, problem_mark=self.get_mark())
        super().fetch_flow_collection_start(TokenClass)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            self._refuse("an alias (*) stands here; write the value out, in quotes if it is text", event)
        if event.anchor is not None:
            self._refuse("an anchor (&) stands here; write the value out wherever it is needed", event)
        if getattr(event, "tag", None) is not None:
            self._refuse("a tag (!) stands here; write a plain value, in quotes if it is text", event)
        if self.depth >= _DEEPEST:
            self._refuse(f"this is nested more than {_DEEPEST} levels deep; write it flatter", event)
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _refuse(self, problem: str, event: yaml.Event) -> None:
        raise yaml.MarkedYAMLError(note=problem, problem_mark=event.start_mark)  # type: ignore[arg-type]


def _compose(text: str) -> tuple[yaml.Node | None, _Loader]:
    loader = _Loader(text)
    return loader.get_single_node(), loader


class _Reading:
    """One walk over the nodes: data, positions and what is wrong with either."""

    def __init__(self, loader: _Loader) -> None:
        self._loader = loader
        self.positions: dict[Key, Position] = {}
        self.problems: list[Problem] = []

    def value_of(self, node: yaml.Node, key: Key) -> Any:
        self.positions.setdefault(key, _position(node))
        match node:
            case yaml.MappingNode():
                return self._mapping(node, key)
            case yaml.SequenceNode():
                return [self.value_of(item, (*key, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, key)

    def _mapping(self, node: yaml.MappingNode, key: Key) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            name = self._name(key_node, key)
            if name is None:
                continue
            inner = (*key, name)
            if name == "<<" and key_node.style is None:
                problem = "a merge key (<<) stands here; write the keys out wherever they are needed"
                self._refuse_key(inner, key_node, problem)
                continue
            if name in mapping:
                first = self.positions[inner].line
                problem = f"{dotted(inner)} is given twice, first on line {first}; remove one"
                self._refuse_key(inner, key_node, problem)
                continue
            self.positions[inner] = _position(key_node)
            mapping[name] = self.value_of(value_node, inner)
        return mapping

    def _name(self, node: yaml.Node, parent: Key) -> str | None:
        name = self._loader.construct_object(node) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(name, str) and _storable(name):
            return name
        what = _short(node.value) or "empty" if isinstance(node, yaml.ScalarNode) else "a list or mapping"
        within = f" in {dotted(parent)}" if parent else ""
        remedy = "put it in quotes if it is a name"
        if isinstance(node, yaml.ScalarNode) and re.fullmatch(r"\d{3}", node.value):
            remedy = "write a number without commas"
        self._refuse_key(parent, node, f"a key{within} is {what}, not text; {remedy}")
        return None

    def _refuse_key(self, near: Key, node: yaml.Node, sentence: str) -> None:
        # A place of its own: no key of the data stands for this node.
        place = (*near, len(self.positions))
        self.positions[place] = _position(node)
        self.problems.append(Problem(place, sentence))

    def _scalar(self, node: yaml.Node, key: Key) -> Any:
        remedy = None
        try:
            value = self._loader.construct_object(node)
        except ValueError:
            # Python converts no text of more than 4,300 digits.
            value, remedy = None, "give an integer of at most 64 bits"
        match value:
            case float() if not math.isfinite(value):
                remedy = "give a finite number"
            case int() if abs(value) > _LARGEST_INTEGER:
                remedy = "give an integer of at most 64 bits"
            case str() if not _storable(value):
                remedy = "remove the character that no file can hold"
        if remedy is not None:
            name = dotted(key) or "the file"
            self.problems.append(Problem(key, f"{name} is {_short(node.value)}; {remedy}"))
        return value


def _position(node: yaml.Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _storable(text: str) -> bool:
    """Whether text can be a file's name or content: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _resolved(text: str) -> str:
    """The tag that text has in YAML where it stands without quotes."""
    return str(_Loader("").resolve(yaml.ScalarNode, text, (True, False)))


def _in_plain_words(error: yaml.MarkedYAMLError, line: str) -> str:
    if error.note:
        return error.note
    problem = f"{error.problem}"
    opened = error.context_mark.line + 1 if error.context_mark else 0
    if problem.startswith("mapping values") and re.match(r"\s*\w+:[{\[]", line):
        return "a space is missing behind the first colon of this line; write KEY: VALUE"
    for beginning, words in _IN_PLAIN_WORDS.items():
        if problem.startswith(beginning):
            return words.replace("{line}", str(opened))
    return "this is not YAML; compare it with the lines around it"


def _plain(name: str) -> str:
    is_plain = 0 < len(name) <= 40 and all(character.isalnum() or character in "_-." for character in name)
    return name if is_plain else _quoted(name)


def _short(text: str) -> str:
    return text if len(text) <= 20 and text.isprintable() else _quoted(text)


def _quoted(text: str) -> str:
    cut = text if len(text) <= 40 else text[:37] + "..."
    return json.dumps(cut, ensure_ascii=not cut.isprintable())
