"""From the text of rules to `Rule` values; every mistake of every line becomes a diagnostic, and the rest is still read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic, Span
from twinwall.policy.model import Action, Rule, RuleType
from twinwall.policy.sets import AddressSet, PortSet
from twinwall.rules.draft import Draft, Names
from twinwall.rules.keyword import Value, Where
from twinwall.rules.lexer import LONGEST, Header, logical_lines, options, read_header
from twinwall.rules.located import AlreadyReportedError, Located, Mistake
from twinwall.rules.protocols import PROTOCOLS, UNSUPPORTED_PROTOCOLS, Protocol
from twinwall.rules.registry import KEYWORDS
from twinwall.rules.suggest import did_you_mean
from twinwall.rules.unsupported import UNSUPPORTED_KEYWORDS
from twinwall.rules.variables import NO_VARIABLES, Variables

ACTIONS: Mapping[Where, Mapping[str, Action]] = {
    Where.STATELESS: {"pass": Action.PASS, "drop": Action.DROP, "forward": Action.FORWARD},
    Where.STATEFUL: {
        "pass": Action.PASS,
        "drop": Action.DROP,
        "reject": Action.REJECT,
        "rejectsrc": Action.REJECT,
        "alert": Action.ALERT,
    },
}
OTHER_ACTIONS = frozenset({"rejectdst", "rejectboth", "config", "accept"})
OWN = "twinwall"  # the family of the keywords that Suricata's language does not have
DIRECTIONS = {"->": False, "<>": True}
# The words of a header by their places.
ACTION, PROTOCOL, SOURCE, SOURCE_PORTS, DIRECTION, DESTINATION, DESTINATION_PORTS = range(7)


@dataclass
class Parsed:
    """What a text of rules gave: the rules that are sound, in the order of the text, and everything wrong with the others."""

    rules: list[Rule] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


class RuleParser:
    """Reads the rules of one policy: keeps what its texts share (variables, names, the sids seen).

    Diagnostics about variables collect in `variables.diagnostics`, those about rules in what `read` returns.  `foreign`: the
    rules are of a system that does not have twinwall's own keywords.
    """

    def __init__(self, variables: Variables | None = None, *, foreign: bool = False) -> None:
        self.variables = variables or Variables()
        self.foreign = foreign
        self.interfaces = Names(first=1)
        self.flowbits = Names()
        self._places: dict[tuple[Where, int, int], Span] = {}

    def read(self, lines: Iterable[Located], stage: Where, group: str = "") -> Parsed:
        """Parse every line as one rule of `stage`; `group` becomes `Rule.group`."""
        parsed = Parsed()
        for line in lines:
            rule = _Line(self, line, stage, parsed.diagnostics).read(group)
            if rule is not None and self._sid_is_new(rule, stage, line, parsed.diagnostics):
                parsed.rules.append(rule)
        return parsed

    def _sid_is_new(self, rule: Rule, stage: Where, line: Located, diagnostics: list[Diagnostic]) -> bool:
        first = self._places.setdefault((stage, rule.gid, rule.sid), rule.span)
        if first is rule.span:
            return True
        at = line.text.rfind("sid")
        message = f"sid {rule.sid} is taken: the rule at {first} has it"
        hint = "give every rule its own sid" + (f" (gid {rule.gid})" if rule.gid != 1 else "")
        diagnostics.append(Mistake(Code.DUPLICATE_SID, message, max(at, 0), max(at, 0) + 3, hint).at(line))
        return False


def parse_rules(
    text: str, file: str, stage: Where = Where.STATEFUL, variables: Mapping[str, tuple[Located, ...]] = NO_VARIABLES
) -> Parsed:
    """Parse a text of rules, one a line, with all diagnostics in the order of the text (those of variables first)."""
    parser = RuleParser(Variables(variables))
    parsed = parser.read(logical_lines(text, file), stage)
    parsed.diagnostics[:0] = parser.variables.diagnostics
    return parsed


class _Line:
    """One rule line on its way to a `Rule`."""

    def __init__(self, parser: RuleParser, line: Located, stage: Where, diagnostics: list[Diagnostic]) -> None:
        self.parser = parser
        self.line = line
        self.stage = stage
        self.diagnostics = diagnostics
        self.sound = True

    def read(self, group: str) -> Rule | None:
        text = self.line.text
        try:
            if len(text) > LONGEST:
                raise Mistake(Code.RULE_TOO_LONG, f"a rule of {len(text)} characters", 0, 1, f"at most {LONGEST}")
            header = read_header(text)
        except Mistake as mistake:
            self._report(mistake)
            return None
        action = self._action(header)
        protocol = self._protocol(header)
        source = self._addresses(header, SOURCE)
        source_ports = self._ports(header, SOURCE_PORTS)
        bidirectional = self._direction(header)
        destination = self._addresses(header, DESTINATION)
        destination_ports = self._ports(header, DESTINATION_PORTS)
        draft = Draft(action or Action.PASS, protocol.numbers, self.parser.interfaces, stateful=self.stage is Where.STATEFUL)
        draft.family = protocol.family
        self._options(draft, header.options)
        if (
            not self.sound
            or action is None
            or source is None
            or destination is None
            or not (source_ports and destination_ports)
        ):
            return None
        source, destination = self._narrow(draft, source), self._narrow(draft, destination)
        if not self.sound:
            return None
        for option in draft.flowbits:
            for name in option.names:
                self.parser.flowbits.number(name)
        conditions = tuple(dict.fromkeys(draft.conditions)) if len(draft.conditions) > 1 else tuple(draft.conditions)
        return Rule(
            action, draft.protocols, source, source_ports, destination, destination_ports, draft.sid,
            Span(self.line.file, self.line.line, self.line.column, len(text)), text, bidirectional, conditions, draft.flow,
            tuple(draft.flowbits), rule_type(draft, source, destination), draft.message, draft.rev, draft.gid, draft.classtype,
            draft.category, draft.priority, tuple(draft.references), tuple(draft.metadata), draft.noalert, draft.alert, group,
            inspect=draft.inspect,
        )  # fmt: skip

    def _report(self, mistake: Mistake) -> None:
        self.sound = False
        self.diagnostics.append(mistake.at(self.line))

    def _action(self, header: Header) -> Action | None:
        known = ACTIONS[self.stage]
        action = known.get(header.words[ACTION]) or known.get(header.words[ACTION].lower())
        if action is None:
            word = header.field(ACTION)
            name = word.text.lower()
            elsewhere = any(name in each for each in ACTIONS.values())
            hint = f"here a rule says one of {', '.join(dict.fromkeys(each.value for each in known.values()))}"
            if elsewhere:
                self._report(Mistake(Code.STAGE_ACTION, f"`{name}` is no action of this stage", word.start, word.end, hint))
            else:
                supported = "is not supported yet" if name in OTHER_ACTIONS else "is not an action"
                hint = did_you_mean(name, known) or hint
                self._report(Mistake(Code.UNKNOWN_ACTION, f"{word.text!r} {supported}", word.start, word.end, hint))
        return action

    def _protocol(self, header: Header) -> Protocol:
        protocol = PROTOCOLS.get(header.words[PROTOCOL]) or PROTOCOLS.get(header.words[PROTOCOL].lower())
        if protocol is None:
            word = header.field(PROTOCOL)
            name = word.text.lower()
            if name in UNSUPPORTED_PROTOCOLS:
                hint = "use the transport protocol and its ports"
                self._report(
                    Mistake(
                        Code.UNSUPPORTED_PROTOCOL, f"the protocol `{name}` is not supported yet", word.start, word.end, hint
                    )
                )
            else:
                hint = did_you_mean(name, PROTOCOLS) or "for any IP protocol by number, write: ip … (ip_proto:47; …)"
                self._report(Mistake(Code.UNKNOWN_PROTOCOL, f"{word.text!r} is not a protocol", word.start, word.end, hint))
            return PROTOCOLS["ip"]
        return protocol

    def _direction(self, header: Header) -> bool:
        bidirectional = DIRECTIONS.get(header.words[DIRECTION])
        if bidirectional is None:
            word = header.field(DIRECTION)
            hint = "`->` from source to destination, `<>` both ways"
            if word.text == "<-":
                hint = "swap source and destination and write `->`"
            self._report(Mistake(Code.BAD_DIRECTION, f"{word.text!r} is not a direction", word.start, word.end, hint))
        return bool(bidirectional)

    def _addresses(self, header: Header, at: int) -> AddressSet | None:
        try:
            return self.parser.variables.addresses(header.words[at])
        except Mistake as mistake:
            self._report(mistake.moved(header.start(at)))
        except AlreadyReportedError:
            self.sound = False
        return None

    def _ports(self, header: Header, at: int) -> PortSet | None:
        try:
            return self.parser.variables.ports(header.words[at])
        except Mistake as mistake:
            self._report(mistake.moved(header.start(at)))
        except AlreadyReportedError:
            self.sound = False
        return None

    def _options(self, draft: Draft, start: int) -> None:
        text = self.line.text
        try:
            for name, at, value, value_at in options(text, start):
                try:
                    self._option(draft, name, at, value, value_at)
                except Mistake as mistake:
                    self._report(mistake)
            if not draft.sid and "sid" not in draft.seen:
                self._report(
                    Mistake(Code.MISSING_SID, "the rule has no sid", 0, len(text), "add sid:NUMBER; a number of its own")
                )
        except Mistake as mistake:
            self._report(mistake)

    def _option(self, draft: Draft, name: str, at: int, value: str | None, value_at: int) -> None:
        keyword = KEYWORDS.get(name) or KEYWORDS.get(name.lower())
        if keyword is None or (keyword.family == OWN and self.parser.foreign):
            raise _unknown(name, at)
        end = at + len(name)
        if keyword.where is not Where.BOTH and keyword.where is not self.stage:
            hint = "use it in the stateful stage" if keyword.where is Where.STATEFUL else "use it in the stateless stage"
            if name in ("fragbits", "fragoffset"):  # the stateful stage sees datagrams put together
                hint = "here, write `fragment:any`, `first` or `later`"
            raise Mistake(Code.STAGE_KEYWORD, f"`{name}` cannot be used in this stage", at, end, hint)
        repeated = keyword.name in draft.seen
        draft.seen.append(keyword.name)
        if repeated and not keyword.repeats:
            raise Mistake(Code.CONFLICT, f"`{name}` is given twice", at, end)
        if value is None:
            if keyword.value is Value.REQUIRED:
                raise Mistake(Code.BAD_VALUE, f"`{name}` needs a value", at, end, f"{keyword.name} takes {keyword.takes}")
            value = ""
        elif keyword.value is Value.NONE:
            raise Mistake(Code.BAD_VALUE, f"`{name}` takes no value", at, value_at + len(value), f"write {name};")
        if keyword.packet:
            draft.packet = True
        bare = value.strip()
        value_at += value.index(bare)
        try:
            keyword.read(bare, draft)
        except Mistake as mistake:
            raise mistake.moved(value_at) from None

    def _narrow(self, draft: Draft, addresses: AddressSet) -> AddressSet:
        """The addresses of the IP version that the rule is about."""
        if draft.family is None:
            return addresses
        narrowed = addresses & draft.family
        if narrowed.is_empty:
            message = "the rule is about one IP version and its addresses are of the other"
            self._report(
                Mistake(Code.NEVER_MATCHES, message, 0, len(self.line.text), "tos, id, ipopts and fragbits look at IPv4 only")
            )
        return narrowed


def _unknown(name: str, at: int) -> Mistake:
    end = at + len(name)
    if name.lower() in UNSUPPORTED_KEYWORDS:
        hint = "twinwall matches header fields, flow and flowbits; the manual lists its keywords"
        return Mistake(Code.UNSUPPORTED_KEYWORD, f"the keyword `{name}` is not supported yet", at, end, hint)
    return Mistake(
        Code.UNKNOWN_KEYWORD, f"`{name}` is not a keyword", at, end, did_you_mean(name, (*KEYWORDS, *UNSUPPORTED_KEYWORDS))
    )


def rule_type(draft: Draft, source: AddressSet, destination: AddressSet) -> RuleType:
    """When the stateful stage evaluates the rule: keywords decide first, then exclusions among the addresses.

    Whatever else it asks, `inspect` is asked of every packet until the flow is decided: the packet with the content may be any.
    """
    if draft.inspect:
        return RuleType.LIKE_IP_ONLY
    if draft.packet:
        return RuleType.PACKET
    if source.negated or destination.negated:
        return RuleType.LIKE_IP_ONLY
    return RuleType.IP_ONLY
