"""From packet-path Python to LLVM IR: the one module that depends on Numba's inside.

Numba types a function and lowers it to LLVM.  Three things are prepared here so that the result serves the processor and
eBPF alike:

- Every integer constant becomes an unsigned 64-bit one.  (Numba would type it `int64`, and `uint64 + int64` is a float.)
- The primitives become calls to external symbols `tw_*`; a target links their bodies in afterwards (`targets.bodies`).
- Everything a function calls is compiled the same way, callees first, with the signature "all unsigned 64-bit".

What is taken from Numba is a module in which `entry` and its callees use Numba's calling convention
(`i32 f(i64* result, excinfo**, i64 …)`); the status is always zero because packet-path code raises nothing.
A change of Numba's conventions shows in `tests/targets/test_numba_ir.py`, which says so.
"""

from __future__ import annotations

import ast
import ctypes
import inspect
import re
import textwrap
import types as python_types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any  # Numba's dispatchers and types have no stubs

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils, config
from numba.extending import intrinsic

from twinwall.path import primitives

WORD = ir.IntType(64)
PathFunction = Callable[..., Any]

# Each primitive's arity.  All take and return 64-bit values; those that only act return 0.
PRIMITIVES = {
    "load_be16": 2,
    "load_be32": 2,
    "load_be64": 2,
    "load_u8": 2,
    "load_u16": 2,
    "load_u32": 2,
    "load_u64": 2,
    "store_u8": 3,
    "store_u16": 3,
    "store_u32": 3,
    "store_u64": 3,
    "table_at": 2,
    "table_u32": 2,
    "table_u16": 2,
    "put": 3,
    "get": 2,
    "opaque": 2,
    "another": 2,
    "branchless": 1,
    "trailing_zeros": 1,
    "prefetch": 2,
}


@dataclass(frozen=True)
class EntryIr:
    """One function as Numba lowered it: the module's text, the function's symbol in it, and how many words it takes."""

    text: str
    symbol: str
    arity: int


def lower(function: PathFunction) -> EntryIr:
    """Compile a packet-path function to LLVM IR.  Raises `TypeError` where the function leaves the restricted style."""
    config.OPT = config._OptLevel(0)  # the target's own pipeline optimises, once, with the primitives' bodies in sight
    compiled = _Lowering().compile(function)
    library = next(iter(compiled.overloads.values())).library
    text = library.get_llvm_str()
    arity = len(inspect.signature(function).parameters)
    found = re.search(rf"^define [^\n]*?@(\S*?{len(function.__name__)}{function.__name__}B\S*?)\(", text, re.MULTILINE)
    if found is None:
        raise TypeError(f"Numba's module for {function.__name__} does not define it: Numba's naming has changed")
    return EntryIr(text, found.group(1), arity)


class _Lowering:
    """Compiles a call graph, callees first; each function once."""

    def __init__(self) -> None:
        self.done: dict[PathFunction, Any] = {}
        self.under_way: list[str] = []

    def compile(self, function: PathFunction) -> Any:  # noqa: ANN401 - a Numba dispatcher
        if function in self.done:
            return self.done[function]
        if function.__name__ in self.under_way:
            raise TypeError(f"packet-path functions may not call themselves: {' > '.join(self.under_way)}")
        self.under_way.append(function.__name__)
        twin = _unsigned_twin(function, self.resolve)
        arity = len(inspect.signature(function).parameters)
        signature = types.uint64(*[types.uint64] * arity)
        options = {"error_model": "numpy", "nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        self.done[function] = njit(signature, **options)(twin)
        self.under_way.pop()
        return self.done[function]

    def resolve(self, value: object) -> object:
        """What a name of the function's module means when compiled."""
        if isinstance(value, int):
            return np.uint64(value)
        if isinstance(value, python_types.FunctionType):
            if value.__module__ == primitives.__name__:
                return _primitive(value.__name__)
            return self.compile(value)
        raise TypeError(f"packet-path code may use integers, primitives and packet-path functions, not {value!r}")


def _unsigned_twin(function: PathFunction, resolve: Callable[[object], object]) -> PathFunction:
    """The same function with every integer constant unsigned and every global name resolved."""
    source = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(source)
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise TypeError(f"{function.__name__} is not a plain function")
    names: dict[str, object] = {}
    _Unsigned(function, resolve, names).rewrite(definition)
    first_line = function.__code__.co_firstlineno
    ast.increment_lineno(tree, first_line - 1)
    code = compile(ast.fix_missing_locations(tree), function.__code__.co_filename, "exec")
    exec(code, names)  # noqa: S102 - our own source, rewritten
    twin = names[function.__name__]
    assert isinstance(twin, python_types.FunctionType)
    return twin


class _Unsigned(ast.NodeTransformer):
    """Replaces constants and global names by entries of `names`; drops what only the interpreter needs."""

    def __init__(self, function: PathFunction, resolve: Callable[[object], object], names: dict[str, object]) -> None:
        self.function = function
        self.resolve = resolve
        self.names = names
        self.locals = set(function.__code__.co_varnames)

    def rewrite(self, definition: ast.FunctionDef) -> None:
        definition.decorator_list = []
        definition.returns = None
        for argument in definition.args.args:
            argument.annotation = None
        if ast.get_docstring(definition) is not None:
            definition.body = definition.body[1:]
        definition.body = self.block(definition.body)

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        rewritten: list[ast.stmt] = []
        for statement in statements:
            result = self.visit(statement)
            rewritten.extend(result if isinstance(result, list) else [result])
        return rewritten

    def bind(self, label: str, value: object) -> ast.Name:
        self.names[label] = value
        return ast.Name(label, ast.Load())

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, bool) or not isinstance(node.value, int):
            raise TypeError(f"{self.where(node)}: a packet-path constant is an integer, not {node.value!r}")
        return ast.copy_location(self.bind(f"u_{node.value}", np.uint64(node.value)), node)

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.locals:
            return node
        return ast.copy_location(self.bind(f"g_{node.id}", self.resolve(self.look_up(node))), node)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if not isinstance(node.value, ast.Name):
            raise TypeError(f"{self.where(node)}: only `Enumeration.MEMBER` is possible here")
        value = getattr(self.look_up(node.value), node.attr)
        return ast.copy_location(self.bind(f"g_{node.value.id}_{node.attr}", self.resolve(value)), node)

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "note":
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Expr(self.visit(call)), node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """`min` and `max` of two pure values become a choice; every other call is a call."""
        if isinstance(node.func, ast.Name) and node.func.id in ("min", "max") and len(node.args) == 2:
            one, two = (self.visit(argument) for argument in node.args)
            order = ast.Lt() if node.func.id == "min" else ast.Gt()
            return ast.copy_location(ast.IfExp(ast.Compare(one, [order], [two]), one, two), node)
        return ast.copy_location(ast.Call(self.visit(node.func), [self.visit(each) for each in node.args], []), node)

    def visit_For(self, node: ast.For) -> list[ast.stmt]:
        """`for i in range(n)` as a `while`: Numba's range object brings exceptions along, a counter does not."""
        iterator = node.iter
        if not (isinstance(iterator, ast.Call) and isinstance(iterator.func, ast.Name) and iterator.func.id == "range"):
            raise TypeError(f"{self.where(iterator)}: packet-path code loops over range(n) only")
        if len(iterator.args) != 1 or iterator.keywords or node.orelse:
            raise TypeError(f"{self.where(iterator)}: packet-path loops count from 0: range(n), and no else")
        assert isinstance(node.target, ast.Name)
        counter = f"next_{node.target.id}_{node.lineno}"
        text = f"{counter} = zero\nwhile {counter} < limit:\n    {node.target.id} = {counter}\n    {counter} = {counter} + one"
        start, loop = ast.parse(text).body
        assert isinstance(start, ast.Assign)
        assert isinstance(loop, ast.While)
        assert isinstance(loop.test, ast.Compare)
        start.value = self.visit(ast.copy_location(ast.Constant(0), node))
        loop.test.comparators = [self.visit(iterator.args[0])]
        increment = loop.body[1]
        assert isinstance(increment, ast.Assign)
        assert isinstance(increment.value, ast.BinOp)
        increment.value.right = self.visit(ast.copy_location(ast.Constant(1), node))
        loop.body += self.block(node.body)
        for part in (start, loop):
            for piece in ast.walk(part):
                if not hasattr(piece, "lineno") or piece.lineno < node.lineno:
                    ast.copy_location(piece, node)
        return [start, loop]

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)

    def look_up(self, node: ast.Name) -> object:
        try:
            return self.function.__globals__[node.id]
        except KeyError:
            raise TypeError(f"{self.where(node)}: {node.id} is neither a local nor a global name") from None

    def where(self, node: ast.expr) -> str:
        code = self.function.__code__
        return f"{code.co_filename}:{code.co_firstlineno + node.lineno - 1}"


_made: dict[str, Any] = {}  # Numba identifies an intrinsic by its object: each primitive is made once
_stand_ins: list[Any] = []  # ctypes callbacks that must outlive Numba's own engine


def _primitive(name: str) -> Any:  # noqa: ANN401 - a Numba intrinsic
    """A primitive as Numba sees it: a call to the external symbol `tw_NAME`."""
    if name not in _made:
        _made[name] = _make_primitive(name, PRIMITIVES[name])
    return _made[name]


def _make_primitive(name: str, arity: int) -> Any:  # noqa: ANN401
    symbol = f"tw_{name}"
    # Numba's own engine wants every symbol resolved although nothing is ever run there.
    stand_in = ctypes.CFUNCTYPE(ctypes.c_uint64, *[ctypes.c_uint64] * arity)(lambda *_: 0)
    _stand_ins.append(stand_in)
    llvm.add_symbol(symbol, ctypes.cast(stand_in, ctypes.c_void_p).value)

    def codegen(_context: Any, builder: ir.IRBuilder, _signature: Any, values: Iterable[ir.Value]) -> ir.Value:  # noqa: ANN401
        declared = cgutils.get_or_insert_function(builder.module, ir.FunctionType(WORD, [WORD] * arity), symbol)
        return builder.call(declared, list(values))

    signature = types.uint64(*[types.uint64] * arity)
    parameters = ", ".join(f"a{index}" for index in range(arity))
    scope: dict[str, Any] = {"answer": (signature, codegen)}
    exec(f"def {name}(typingctx, {parameters}):\n    return answer", scope)  # noqa: S102 - Numba reads the arity off it
    return intrinsic(scope[name])
