"""What the service refuses in rules, beyond what their language says: checked on every rule of a group, in any form."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from twinwall.formats.aws.codes import Code
from twinwall.formats.aws.findings import Findings
from twinwall.formats.aws.stateful.sheet import Option, RuleLine, RuleSheet
from twinwall.formats.aws.stateful.variables import EXTERNAL, HOME, GroupVariables
from twinwall.policy.model import Order

REFUSED = frozenset({"dataset", "datarep", "iprep", "lua", "luajit", "filestore"})
REJECTED = frozenset({"tcp", "http", "tls", "smb", "ssh", "smtp", "dcerpc"})
PCRE_COMPANIONS = frozenset({"content", "tls.sni", "http.host", "dns.query", "http.uri"})
ORDERED_BY_LINE = ("priority", "classtype")
MAX_RULE = 8_192
SID = re.compile(r"[0-9]{1,20}", re.ASCII)
GEOIP = re.compile(r"(?:src|dst|any|both)(?:\s*,\s*!?[A-Z]{2})+")


@dataclass
class RuleChecks:
    """Checks the rules of one group; `keywords` are the places of keywords refused here."""

    group: str
    order: Order
    variables: GroupVariables
    findings: Findings
    generated: bool = False
    keywords: set[int] = field(default_factory=set)
    sids: dict[int, int] = field(default_factory=dict)
    warned_home: bool = False

    def check(self, sheet: RuleSheet) -> None:
        """Check every rule of a text."""
        for line in sheet.lines:
            self._check_sid(sheet, line)
            self._check_header(sheet, line)
            self._check_variables(sheet, line)
            self._check_length(sheet, line)
            for option in line.options if not self.generated else ():
                self._check_option(sheet, line, option)
            if line.values("pcre") and not any(option.name in PCRE_COMPANIONS for option in line.options):
                self._add(Code.PCRE, sheet, line, "pcre stands alone")

    def _add(self, code: Code, sheet: RuleSheet, line: RuleLine, message: str, option: Option | None = None) -> None:
        index, length = (option.index, len(option.name)) if option else (line.index, len(line.text))
        self.findings.add(code, sheet.place(index, length), f"{self.group}, {sheet.what} {line.number}: {message}")

    def _check_sid(self, sheet: RuleSheet, line: RuleLine) -> None:
        sids = line.values("sid")
        if not sids:
            self._add(Code.SID_MISSING, sheet, line, "the rule has no sid")
        elif SID.fullmatch(sids[0]):  # what is no number is the rule parser's to refuse
            first = self.sids.setdefault(int(sids[0]), line.number)
            if first != line.number:
                self._add(Code.SID_TWICE, sheet, line, f"the sid {int(sids[0])} was used by {sheet.what} {first}")

    def _check_header(self, sheet: RuleSheet, line: RuleLine) -> None:
        if line.action.startswith("reject") and line.protocol not in REJECTED:
            self._add(Code.REJECT_PROTOCOL, sheet, line, f"{line.action} on {line.protocol[:20] or 'no protocol'}")

    def _check_variables(self, sheet: RuleSheet, line: RuleLine) -> None:
        for sigil, name, index in line.variables():
            place = sheet.place(index, len(name) + 1)
            where = f"{self.group}, {sheet.what} {line.number}"
            key = name if sigil == "$" else f"@{name}"
            if sigil == "$" and key not in self.variables.definitions:
                self.findings.add(Code.VARIABLE_UNDECLARED, place, f"{where}: ${name[:40]} is not declared")
            if sigil == "@" and key not in self.variables.definitions:
                self.findings.add(Code.REFERENCE_UNDECLARED, place, f"{where}: @{name[:40]} is not declared")
            if sigil == "$" and name in (HOME, EXTERNAL) and self.variables.home_unknown and not self.warned_home:
                self.warned_home = True
                message = f"{where}: nothing says what $HOME_NET is; $HOME_NET and $EXTERNAL_NET stand for any address"
                self.findings.add(Code.HOME_NET_UNKNOWN, place, message)

    def _check_length(self, sheet: RuleSheet, line: RuleLine) -> None:
        length = len(line.text)
        for sigil, name, _ in line.variables():
            length += max(0, self.variables.length(name if sigil == "$" else f"@{name}") - len(name))
        if length > MAX_RULE:
            self._add(Code.RULE_LENGTH, sheet, line, f"the rule has {length} characters with its variables expanded")

    def _check_option(self, sheet: RuleSheet, line: RuleLine, option: Option) -> None:
        if option.name == "gid":
            self._add(Code.GID, sheet, line, "the rule has a gid", option)
        if option.name in ORDERED_BY_LINE and self.order is Order.STRICT:
            self._add(Code.STRICT_PRIORITY, sheet, line, f"{option.name} under strict order", option)
        known = option.name != "geoip" or (bool(GEOIP.fullmatch(option.value)) and "UK" not in option.value)
        if option.name in REFUSED or not known:
            self.keywords.add(option.index)
            self._add(Code.KEYWORD, sheet, line, f"{option.name}:{option.value[:40]}", option)
