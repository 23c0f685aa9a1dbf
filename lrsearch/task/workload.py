"""What can be known of a task's workload without running it: its file is read and parsed, never imported."""

import ast
import importlib.util
import warnings
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from inspect import Parameter, Signature
from pathlib import Path

from lrsearch.errors import TaskError, WorkloadError
from lrsearch.task.document import dotted
from lrsearch.task.model import Task

_REACHES_ROUND = {
    "globals",
    "vars",
    "locals",
    "exec",
    "eval",
    "setattr",
    "__dict__",
    "__getattr__",
    "modules",
}
"""Names by which a module may get attributes that no statement of it binds."""


def check_workload(task: Task) -> str:
    """Check that the callable is there and takes the arguments of every entry, as far as its source says so.

    Returns:
        What could not be told without running it, as a noun; empty where nothing is left.

    Raises:
        TaskError: the file, the package or the callable does not exist, or does not take the arguments.
        WorkloadError: the file is no Python.
    """
    place, name = task.workload.rsplit(":", 1)
    if not place.endswith(".py"):
        _check_package(task, place)
        return task.workload
    tree = _parsed(task, place)
    if tree is None:
        return task.workload
    there = [node for node in _in_module_scope(tree) if name in _bound_by(node)]
    if not there:
        if _may_bind_anything(tree):
            return f"{name} of {place}"
        callables = (node for node in _in_module_scope(tree) if not isinstance(node, ast.Name))
        raise no_callable(task, False, (bound for node in callables for bound in _bound_by(node)))
    match there:
        case [ast.AsyncFunctionDef(decorator_list=[])]:
            raise never_runs(task)
        case [ast.FunctionDef(decorator_list=[]) as function] if function in tree.body:
            if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(function)):
                raise never_runs(task)
            for entry in task.entries:
                check_arguments(task, entry, _signature(function.args))
            return ""
    return f"the arguments of {task.workload}"


def workload_file(task: Task, place: str) -> Path:
    """Give the Python file that a task names, absolute.

    Raises:
        TaskError: it does not exist, or its folder cannot be read.
    """
    try:
        path = (task.folder / place).resolve()
        if path.is_file():
            return path
        if path.is_dir():
            raise task.error(
                f"{task.trained_by} names {place}, which is a folder; name a file of Python", task.trained_by
            )
        near = get_close_matches(path.name, [p.name for p in path.parent.glob("*.py")], n=1)
    except OSError as error:
        raise _unreadable(task, place, error) from error
    hint = f"did you mean {near[0]}?" if near else f"write it, or name it relative to {task.folder}"
    raise task.error(f"{task.trained_by} names {place}, which does not exist; {hint}", task.trained_by)


def no_module(task: Task, place: str) -> TaskError:
    """Make the error for a package or module that is not installed."""
    return task.error(
        f"{task.trained_by} names the module {place}, which cannot be found; install it or mend the name",
        task.trained_by,
    )


def no_callable(task: Task, there: bool, callables: Iterable[str]) -> TaskError:
    """Make the error for a name that is not among the callables of its module, though something may be there."""
    place, name = task.workload.rsplit(":", 1)
    near = get_close_matches(name, list(callables), n=1)
    hint = f"did you mean {near[0]}?" if near else "name a function" if there else f"define it in {place}"
    problem = "is not callable" if there else "does not exist"
    return task.error(f"{task.trained_by} names {name} in {place}, which {problem}; {hint}", task.trained_by)


def never_runs(task: Task) -> TaskError:
    """Make the error for a callable that gives a generator or a coroutine when it is called, and does nothing."""
    return task.error(
        f"{task.trained_by} {task.callable_name} only begins when it is awaited or iterated over, which nobody does; "
        "make it a plain function, without async and yield",
        task.trained_by,
    )


def not_importable(task: Task, where: str, error: BaseException) -> WorkloadError:
    """Make the error for a module whose import raises, at ``where`` (``FILE:LINE``)."""
    place = task.workload.rsplit(":", 1)[0]
    return WorkloadError(f"{where} importing {place} raised {described(error)}; mend it, then run again")


def check_arguments(task: Task, entry: str, signature: Signature) -> None:
    """Check that the callable takes the arguments that it would get for an entry; a loop takes a trial.

    Raises:
        TaskError: it does not, at the argument's place.
    """
    if task.trained_by == "loop":
        _check_takes_trial(task, signature)
        return
    arguments = task.arguments_of(entry)
    try:
        signature.bind(**arguments)
    except TypeError as error:
        for name in arguments:
            if name not in signature.parameters:
                near = get_close_matches(name, signature.parameters, n=1)
                hint = (
                    f"did you mean {near[0]}?"
                    if near
                    else f"it takes {', '.join(signature.parameters) or 'none'}"
                )
                own = name in task.entries[entry].arguments
                key = ("optimizers", entry, "arguments", name) if own else ("arguments", name)
                raise task.error(f"{dotted(key)} is no argument of {task.workload}; {hint}", *key) from error
        missing = [
            name
            for name, parameter in signature.parameters.items()
            if parameter.default is Parameter.empty
            and parameter.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
            and name not in arguments
        ]
        if missing:
            place = "arguments" if ("arguments",) in task.positions else "workload"
            remedy = f"add arguments: {{{missing[0]}: ...}}"
            if missing == ["trial"]:
                remedy = "if it is a training loop, write loop: in place of workload:"
            raise task.error(
                f"arguments.{missing[0]} is missing, which {task.workload} needs; {remedy}", place
            ) from error
        raise task.error(f"arguments do not fit {task.workload}: {error}; mend them", "arguments") from error


def _check_takes_trial(task: Task, signature: Signature) -> None:
    try:
        signature.bind(None)
    except TypeError as error:
        raise task.error(
            f"loop {task.callable_name} cannot be called with a trial alone ({error}); let it take one argument: "
            "def train(trial), which has lr, seed and arguments",
            "loop",
        ) from error


def described(error: BaseException) -> str:
    """Give an exception in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _check_package(task: Task, place: str) -> None:
    """Look for the package alone: to look for a module within it would import it."""
    try:
        found = importlib.util.find_spec(place.partition(".")[0])
    except ValueError:
        return  # already imported, in a way that keeps no specification
    if found is None:
        raise no_module(task, place)


def _parsed(task: Task, place: str) -> ast.Module | None:
    """Parse the workload's file; None where it is nested too deeply to parse."""
    path = workload_file(task, place)
    try:
        content = path.read_bytes()  # bytes: Python's own rules say how the file is encoded
    except OSError as error:
        raise _unreadable(task, place, error) from error
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(content, str(path))
            compile(
                tree, str(path), "exec"
            )  # finds what the grammar allows: doubled arguments, a lone return
            return tree
    except SyntaxError as error:
        raise not_importable(task, f"{path}:{error.lineno or 1}", error) from error
    except ValueError as error:  # a NUL byte, to Python 3.11
        raise not_importable(task, f"{path}:1", error) from error
    except (RecursionError, MemoryError):
        return None


def _unreadable(task: Task, place: str, error: OSError) -> TaskError:
    return task.error(
        f"{task.trained_by} names {place}, which cannot be read ({error.strerror}); check its path and permissions",
        task.trained_by,
    )


def _in_module_scope(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes but those inside functions and classes, whose names are their own."""
    inside: list[ast.AST] = [tree]  # a list, not recursion: a sum of a thousand terms is as deep
    while inside:
        for child in ast.iter_child_nodes(inside.pop()):
            yield child
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
                inside.append(child)


def _bound_by(node: ast.AST) -> tuple[str, ...]:
    """The names that a node gives a meaning to, or takes it from."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return (name,)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return (name,)
        case ast.alias(name=name, asname=asname):
            return (asname or name.partition(".")[0],)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return (name,)
        case ast.MatchMapping(rest=str(name)):
            return (name,)
    return ()


def _may_bind_anything(tree: ast.Module) -> bool:
    """Whether the module may have names that are bound nowhere in its own scope."""
    for node in ast.walk(tree):
        match node:
            case ast.alias(name="*") | ast.Global():
                return True
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.FunctionDef(name=name) if (
                name in _REACHES_ROUND
            ):
                return True
    return False


def _own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function that are not inside another one."""
    return _in_module_scope(ast.Module(function.body, []))


def _signature(arguments: ast.arguments) -> Signature:
    """What ``inspect.signature`` gives of a function, from its source; each default is only said to be there."""
    positional = [
        *((a.arg, Parameter.POSITIONAL_ONLY) for a in arguments.posonlyargs),
        *((a.arg, Parameter.POSITIONAL_OR_KEYWORD) for a in arguments.args),
    ]
    required = len(positional) - len(arguments.defaults)
    parameters = [
        Parameter(name, kind, default=Parameter.empty if index < required else ...)
        for index, (name, kind) in enumerate(positional)
    ]
    if arguments.vararg:
        parameters.append(Parameter(arguments.vararg.arg, Parameter.VAR_POSITIONAL))
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        given = Parameter.empty if default is None else ...
        parameters.append(Parameter(argument.arg, Parameter.KEYWORD_ONLY, default=given))
    if arguments.kwarg:
        parameters.append(Parameter(arguments.kwarg.arg, Parameter.VAR_KEYWORD))
    return Signature(parameters)
