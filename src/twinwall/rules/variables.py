"""Variables: a name, and the text of the list it stands for; read as addresses or as ports where it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic
from twinwall.policy.sets import AddressSet, PortSet
from twinwall.rules.addresses import ADDRESSES
from twinwall.rules.expression import DEEPEST, Grammar, S, Terms, join_terms, read_set, read_terms, settle
from twinwall.rules.located import AlreadyReportedError, Located, Mistake
from twinwall.rules.ports import PORTS
from twinwall.rules.suggest import did_you_mean

NO_VARIABLES: Mapping[str, tuple[Located, ...]] = {}


class Variables:
    """The variables of one policy, resolved once for each use.

    Mistakes inside a definition are kept in `diagnostics`, each once; whoever uses such a variable afterwards gets
    `AlreadyReportedError`.  Mistakes of the use itself are raised as `Mistake`.
    """

    def __init__(self, definitions: Mapping[str, tuple[Located, ...]] = NO_VARIABLES) -> None:
        self.definitions = dict(definitions)
        self.diagnostics: list[Diagnostic] = []
        self._addresses: dict[str, AddressSet] = {}
        self._ports: dict[str, PortSet] = {}
        self._address_terms: dict[str, Terms[AddressSet] | None] = {}
        self._port_terms: dict[str, Terms[PortSet] | None] = {}
        self._active: list[str] = []

    def addresses(self, text: str) -> AddressSet:
        """The addresses that a rule's text means, exclusions and variables resolved."""
        found = self._addresses.get(text)
        if found is None:
            found, negated = read_set(text, ADDRESSES, self._address_variable)
            if negated:
                found = AddressSet(found.v4, found.v6, negated=True)
            self._addresses[text] = found
        return found

    def ports(self, text: str) -> PortSet:
        """The ports that a rule's text means."""
        found = self._ports.get(text)
        if found is None:
            found, _ = read_set(text, PORTS, self._port_variable)
            self._ports[text] = found
        return found

    def addresses_of(self, parts: tuple[Located, ...]) -> AddressSet | None:
        """The addresses that a list in the policy file means; None: what is wrong with it is in `diagnostics`."""
        terms = self._read(parts, ADDRESSES)
        if terms is None:
            return None
        try:
            return settle(terms, ADDRESSES, 0, len(parts[0].text))
        except Mistake as mistake:
            self.diagnostics.append(mistake.at(parts[0]))
        return None

    def check_unused(self) -> None:
        """Read every variable that no rule has used, so that its mistakes are reported too."""
        for name in self.definitions:
            if name in self._address_terms or name in self._port_terms:
                continue
            before = len(self.diagnostics)
            if self._readable(name, PORTS, self._port_terms):
                continue
            as_ports = self.diagnostics[before:]
            del self.diagnostics[before:]
            if not self._readable(name, ADDRESSES, self._address_terms) and self._looks_like_ports(name):
                self.diagnostics[before:] = as_ports

    def _readable(self, name: str, grammar: Grammar[S], known: dict[str, Terms[S] | None]) -> bool:
        try:
            settle(self._terms(name, grammar, known), grammar, 0, 1)
        except AlreadyReportedError:
            return False
        except Mistake as mistake:
            self.diagnostics.append(mistake.at(self.definitions[name][0]))
            return False
        return True

    def _looks_like_ports(self, name: str) -> bool:
        return all(part.text.strip(" ![]")[:1].isdecimal() and "." not in part.text for part in self.definitions[name])

    def _address_variable(self, name: str) -> Terms[AddressSet]:
        return self._terms(name, ADDRESSES, self._address_terms)

    def _port_variable(self, name: str) -> Terms[PortSet]:
        return self._terms(name, PORTS, self._port_terms)

    def _terms(self, name: str, grammar: Grammar[S], known: dict[str, Terms[S] | None]) -> Terms[S]:
        if name in known:
            terms = known[name]
            if terms is None:
                raise AlreadyReportedError
            return terms
        definition = self.definitions.get(name)
        if definition is None:
            hint = did_you_mean(name, self._by_lower()) or "define it under `variables`"
            raise Mistake(Code.UNDEFINED_VARIABLE, f"the variable ${name} is not defined", 0, len(name) + 1, self._spelt(hint))
        self._refuse_loop(name)
        self._active.append(name)
        try:
            known[name] = terms = self._read(definition, grammar)
        finally:
            self._active.pop()
        if terms is None:
            raise AlreadyReportedError
        return terms

    def _read(self, definition: tuple[Located, ...], grammar: Grammar[S]) -> Terms[S] | None:
        parts: list[Terms[S]] = []
        lookup = self._lookup(grammar)
        sound = True
        for part in definition:
            try:
                parts.append(read_terms(part.text, grammar, lookup))
            except AlreadyReportedError:
                sound = False
            except Mistake as mistake:
                self.diagnostics.append(mistake.at(part))
                sound = False
        return join_terms(parts, grammar) if sound else None

    def _lookup(self, grammar: Grammar[S]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - one of two bound methods
        return self._address_variable if grammar is ADDRESSES else self._port_variable

    def _refuse_loop(self, name: str) -> None:
        if name in self._active:
            loop = [*self._active[self._active.index(name) :], name]
            text = " -> ".join(f"${each}" for each in loop)
            raise Mistake(Code.VARIABLE_LOOP, f"the variable ${name} is defined by itself: {text}", 0, len(name) + 1)
        if len(self._active) >= DEEPEST:
            raise Mistake(Code.TOO_DEEP, f"more than {DEEPEST} variables inside each other", 0, len(name) + 1)

    def _by_lower(self) -> Iterable[str]:
        return [name.lower() for name in self.definitions]

    def _spelt(self, hint: str) -> str:
        spelling = {name.lower(): name for name in self.definitions}
        words = [
            f"${spelling[word[:-1]]}?" if word.endswith("?") and word[:-1] in spelling else word for word in hint.split(" ")
        ]
        return " ".join(words)
