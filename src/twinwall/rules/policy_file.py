"""The policy file: YAML in, a `Policy` or everything that is wrong with it out.  `docs/policy-file.md` describes the form.

`read_policy_text` is pure: other files come in through functions.  `load_policy` is the same over the disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from collections.abc import Sequence as ListOf
from enum import StrEnum
from itertools import chain
from os import PathLike, fspath

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic, PolicyError, Severity, Span
from twinwall.policy.model import (
    Action,
    Exceptional,
    Flows,
    Nat,
    Order,
    Overlap,
    Policy,
    Rule,
    StatefulDefault,
    StatefulStage,
    StatelessStage,
    Timeout,
    Tracking,
)
from twinwall.rules.attach import check_rules, read_attach
from twinwall.rules.disk import Folder
from twinwall.rules.document import DocumentError, Mapping, Node, Scalar, Sequence, read_document
from twinwall.rules.keyword import Where
from twinwall.rules.lexer import listed_lines, logical_lines
from twinwall.rules.located import Located
from twinwall.rules.nat import read_nat
from twinwall.rules.order import evaluation_order
from twinwall.rules.parser import RuleParser
from twinwall.rules.values import Values
from twinwall.rules.variables import Variables

OpenFile = Callable[[str], str]  # the text of a file named in the policy; raises OSError or UnicodeDecodeError
FindFiles = Callable[[str], ListOf[str]]  # the files that a pattern matches, in order

VERSION = "1"
# How captures and compressed files begin: pcap in its four forms, pcapng, gzip, zstd, xz.
CAPTURES = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1", b"\x0a\x0d\x0d\x0a",
            b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ")  # fmt: skip
VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}", re.ASCII)
FATES = (Action.PASS, Action.DROP, Action.FORWARD)
NUMBERS = {"tcp_max_retrans": (0, 255), "connections": (1, 1 << 26), "datagrams": (1, 65535)}
CHOICES: dict[str, type[StrEnum]] = {"overlap": Overlap, "flows": Flows}
SWITCHES = ("tcp_loose", "tcp_be_liberal", "tcp_ignore_invalid_rst")


def load_policy(path: str | PathLike[str]) -> Policy:
    """The policy in the file `path` (YAML, or a `.rules` file of stateful rules).  Raises `PolicyError` with every mistake."""
    name = fspath(path)
    folder = Folder(name)
    try:
        text = folder.open_file(folder.name)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError((unreadable(name, error),)) from None
    if name.endswith(".rules"):
        policy, diagnostics = read_rules_text(text, name)
    else:
        policy, diagnostics = read_policy_text(text, name, folder.open_file, folder.find_files)
    if policy is None:
        raise PolicyError(diagnostics)
    return policy


def read_policy_text(
    text: str, file_name: str, open_file: OpenFile, find_files: FindFiles = lambda pattern: [pattern]
) -> tuple[Policy | None, tuple[Diagnostic, ...]]:
    """The policy that a YAML text says, or None and every diagnostic, in the order of the files."""
    try:
        document = read_document(text, file_name)
    except DocumentError as error:
        return None, (error.diagnostic,)
    reader = _PolicyReader(file_name, open_file, find_files)
    return reader.finish(reader.read(document))


def read_rules_text(text: str, file_name: str) -> tuple[Policy | None, tuple[Diagnostic, ...]]:
    """The policy that a bare file of rules means: stateful rules only, in action order, as Suricata reads it."""
    parser = RuleParser()
    parsed = parser.read(logical_lines(text, file_name), Where.STATEFUL)
    diagnostics = (*parser.variables.diagnostics, *parsed.diagnostics)
    if diagnostics:
        return None, diagnostics
    stage = StatefulStage(evaluation_order(parsed.rules, Order.ACTION), Order.ACTION)
    return Policy(stateful=stage, interfaces=tuple(parser.interfaces), flowbits=tuple(parser.flowbits)), ()


def unreadable(file: str, error: OSError | UnicodeDecodeError) -> Diagnostic:
    """What to say of a file that cannot be read as text."""
    if isinstance(error, UnicodeDecodeError):
        before = error.object[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        message, span = f"byte 0x{error.object[error.start]:02x} is not UTF-8 text", Span(file, line, column)
        capture = error.object.startswith(CAPTURES)
        hint = "this looks like a capture; the policy is named before it" if capture else "save the file as UTF-8"
        return Diagnostic(Severity.ERROR, Code.FILE_UNREADABLE, message, span, hint)
    return Diagnostic(
        Severity.ERROR, Code.FILE_UNREADABLE, f"cannot read the file: {error.strerror or error}", Span(file, 1, 1)
    )


class _PolicyReader:
    """Reads the sections of one policy file, and the rules files it names."""

    def __init__(self, file: str, open_file: OpenFile, find_files: FindFiles) -> None:
        self.values = Values(file)
        self.open_file = open_file
        self.find_files = find_files
        self.parser = RuleParser()

    def finish(self, policy: Policy) -> tuple[Policy | None, tuple[Diagnostic, ...]]:
        self.parser.variables.check_unused()
        found = [*self.values.diagnostics, *self.parser.variables.diagnostics]
        files = {file: at for at, file in enumerate(dict.fromkeys((self.values.file, *(each.span.file for each in found))))}
        found.sort(key=lambda each: (files[each.span.file], each.span.line, each.span.column))
        return (None if found else policy), tuple(found)

    def read(self, document: Node) -> Policy:
        top = self.values.section(document, "")
        self._version(top, document)
        self.parser.variables = Variables(self._variables(top.get("variables")))
        stateless = self._stateless(top["stateless"]) if "stateless" in top else StatelessStage()
        stateful = self._stateful(top["stateful"]) if "stateful" in top else StatefulStage()
        attach = read_attach(self.values, top["attach"]) if "attach" in top else None
        interfaces = tuple(self.parser.interfaces)
        if attach is not None:
            check_rules(self.values, stateless.rules + stateful.rules, interfaces, attach)
        return Policy(
            stateless=stateless,
            stateful=stateful,
            tracking=self._tracking(top),
            attach=attach,
            interfaces=interfaces,
            flowbits=tuple(self.parser.flowbits),
            name=self._name(top.get("name")),
            nat=read_nat(self.values, self.parser.variables, top["nat"], attach) if "nat" in top else Nat(),
        )

    def _version(self, top: dict[str, Node], document: Node) -> None:
        if "twinwall" not in top:
            if isinstance(document, Scalar | Sequence):
                return  # said already that this is no mapping
            self.values.report(
                Code.MISSING_KEY, "the key `twinwall` is missing", document.span, "begin the file with `twinwall: 1`"
            )
            return
        version = self.values.scalar(top["twinwall"], "the format's version")
        if version is not None and version.text.text != VERSION:
            message = f"version {version.text.text!r} of the policy format is not supported"
            self.values.report(Code.UNSUPPORTED_VERSION, message, version.span, f"this twinwall reads version {VERSION}")

    def _name(self, node: Node | None) -> str:
        scalar = self.values.scalar(node, "a name") if node is not None else None
        return scalar.text.text.strip() if scalar is not None else ""

    def _variables(self, node: Node | None) -> dict[str, tuple[Located, ...]]:
        if node is None or (isinstance(node, Scalar) and node.null):
            return {}
        definitions = {}
        for key, value in self.values.entries(node, "`variables`"):
            name = key.text.text
            if not VARIABLE.fullmatch(name):
                hint = "write it without `$`" if name.startswith("$") else "a letter, then letters, digits and _"
                self.values.report(Code.BAD_VARIABLE_NAME, f"{name!r} is not a name for a variable", key.span, hint)
                continue
            definitions[name] = self._definition(value)
            if not definitions[name]:
                self.values.report(Code.WRONG_SHAPE, f"the variable {name} has no value", key.span, "`any` is everything")
                del definitions[name]
        return definitions

    def _definition(self, value: Node) -> tuple[Located, ...]:
        """The elements of a variable: those written here, or those of the files that `file:` names, one a line."""
        if not isinstance(value, Mapping):
            return tuple(self.values.texts(value, "an address, a port or a list of them"))
        found: list[Located] = []
        section = self.values.section(value, "variable")
        for pattern in self.values.texts(section["file"], "a file name") if "file" in section else []:
            for name, text in self._files(pattern):
                found += listed_lines(text, name)
        return tuple(found)

    def _stateless(self, node: Node) -> StatelessStage:
        section = self.values.section(node, "stateless")
        fates = {
            name: self.values.choice(section[name], Action, FATES) if name in section else None
            for name in ("default", "fragments", "other_fragments")
        }
        default = fates["default"] or Action.FORWARD
        rules = tuple(self._rules(section, Where.STATELESS))
        return StatelessStage(rules, default, fates["fragments"] or default, fates["other_fragments"])

    def _stateful(self, node: Node) -> StatefulStage:
        section = self.values.section(node, "stateful")
        order = self.values.choice(section["order"], Order) if "order" in section else None
        midstream = self.values.choice(section["midstream"], Exceptional) if "midstream" in section else None
        invalid = (Exceptional.DROP, Exceptional.CONTINUE)
        strict = order is Order.STRICT or (order is None and "order" in section)  # a misspelt order is reported already
        return StatefulStage(
            rules=evaluation_order(self._rules(section, Where.STATEFUL), order or Order.ACTION),
            order=order or Order.ACTION,
            default=self._defaults(section["default"], strict) if "default" in section else (),
            midstream=midstream or Exceptional.DROP,
            invalid=(self.values.choice(section["invalid"], Exceptional, invalid) if "invalid" in section else None)
            or Exceptional.DROP,
        )

    def _defaults(self, node: Node, strict: bool) -> tuple[StatefulDefault, ...]:
        nodes = node.items if isinstance(node, Sequence) else (node,)
        if isinstance(node, Scalar) and node.null:
            return ()
        chosen = [(item, self.values.choice(item, StatefulDefault)) for item in nodes]
        found: list[StatefulDefault] = []
        for item, default in chosen:
            if default is None:
                continue
            clash = next((message for before in found if (message := _clash(before, default))), "")
            if clash:
                self.values.report(Code.ORDER_DEFAULT, clash, item.span)
            found.append(default)
        if found and not strict:
            message = "default actions exist in strict order only"
            self.values.report(Code.ORDER_DEFAULT, message, node.span, "write `order: strict`, or leave `default` out")
        return tuple(found)

    def _tracking(self, top: dict[str, Node]) -> Tracking:
        section = self.values.section(top["tracking"], "tracking") if "tracking" in top else {}
        settings: dict[str, object] = {}
        for name, node in section.items():
            if name in NUMBERS:
                settings[name] = self.values.number(node, *NUMBERS[name])
            elif name in SWITCHES:
                settings[name] = self.values.boolean(node)
            else:
                settings[name] = self.values.choice(node, CHOICES[name])
        known = {name: value for name, value in settings.items() if value is not None}
        return Tracking(timeouts=self._timeouts(top), **known)  # type: ignore[arg-type]

    def _timeouts(self, top: dict[str, Node]) -> tuple[tuple[Timeout, float], ...]:
        section = self.values.section(top["timeouts"], "timeouts") if "timeouts" in top else {}
        named = {timeout.value[0]: timeout for timeout in Timeout}
        times = [(named[name], self.values.duration(node)) for name, node in section.items()]
        return tuple((timeout, seconds) for timeout, seconds in times if seconds is not None)

    def _rules(self, section: dict[str, Node], stage: Where) -> list[Rule]:
        rules = self._parse(self._written(section["rules"]), stage, "") if "rules" in section else []
        for pattern in self.values.texts(section["files"], "a file name") if "files" in section else []:
            for name, text in self._files(pattern):
                rules += self._parse(logical_lines(text, name), stage, name)
        return rules

    def _parse(self, lines: Iterator[Located], stage: Where, group: str) -> list[Rule]:
        parsed = self.parser.read(lines, stage, group)
        self.values.diagnostics += parsed.diagnostics
        return parsed.rules

    def _written(self, node: Node) -> Iterator[Located]:
        if isinstance(node, Scalar):
            return iter(()) if node.null else node.rules()
        if isinstance(node, Sequence):
            scalars = [self.values.scalar(item, "a rule") for item in node.items]
            return chain.from_iterable(scalar.rules() for scalar in scalars if scalar is not None)
        self.values.report(Code.WRONG_SHAPE, "expected rules, one a line", node.span, "write `rules: |` and the rules below it")
        return iter(())

    def _files(self, pattern: Located) -> Iterator[tuple[str, str]]:
        span = pattern.span(0, len(pattern.text))
        try:
            names = self.find_files(pattern.text)
        except (OSError, ValueError) as error:
            self.values.report(Code.FILE_UNREADABLE, f"cannot look for {pattern.text!r}: {error}", span)
            return
        if not names:
            self.values.report(
                Code.FILE_MISSING, f"no file is called {pattern.text!r}", span, "paths count from the policy file's folder"
            )
        for name in names:
            try:
                yield name, self.open_file(name)
            except UnicodeDecodeError as error:
                self.values.diagnostics.append(unreadable(name, error))
            except (OSError, ValueError) as error:
                self.values.report(
                    Code.FILE_UNREADABLE, f"cannot read {name!r}: {getattr(error, 'strerror', None) or error}", span
                )


def _clash(one: StatefulDefault, other: StatefulDefault) -> str:
    """Why two default actions cannot stand together; empty if they can."""
    if one is other:
        return f"`{other}` is given twice"
    if one.startswith("drop") and other.startswith("drop"):
        return f"`{one}` and `{other}`: only one default action can drop"
    families = {_family(one), _family(other)}
    if families == {"established", "app_layer"}:
        return f"`{one}` and `{other}` do not go together: one waits for application data, the other does not"
    return ""


def _family(default: StatefulDefault) -> str:
    if "app_layer" in default:
        return "app_layer"
    return "strict" if default.endswith("strict") else "established"
