"""Steps of traced packets without a kernel: what is known beside them, and the stories they make."""

from __future__ import annotations

from twinwall.enforce.rulebook import FixedRules, RuleBook
from twinwall.enforce.source import Kind, Source
from twinwall.enforce.trace_story import narrate
from twinwall.engine.conversation import Conversation
from twinwall.engine.spoken_frame import encode_ip
from twinwall.live.connection import FiveTuple
from twinwall.live.nft_rules import RuleFacts
from twinwall.live.nftrace import Code, Step
from twinwall.live.nftrace import Kind as StepKind

POLICY = """
twinwall: 1
stateless: {rules: 'drop udp any any -> any 1 (msg:"alone"; sid:10;)'}
stateful:
  order: strict
  default: [drop_strict]
  rules: |
    alert tcp any any -> any any (msg:"seen"; sid:99;)
    pass tcp any any -> any 443 (msg:"web"; sid:100;)
    drop tcp any any -> any 22 (msg:"no"; sid:101;)
attach: {outside: [wan0]}
"""
PACKET = encode_ip(Conversation().say("tcp 10.0.0.5:40000 > 198.51.100.7:443 S"))
FLOW = FiveTuple(bytes([10, 0, 0, 5]), bytes([198, 51, 100, 7]), 6, 40000, 443)


class Known:
    """What is known beside the steps."""

    def __init__(self, facts=None, entry=None, stateless=()):
        book = RuleBook.of(Source(Kind.POLICY, (("p.yaml", POLICY),)).policy())
        self.rules = FixedRules(book)
        self._facts, self._entry, self._stateless = facts or {}, entry, stateless

    def facts(self, step):
        return self._facts.get(step.chain, RuleFacts())

    def stateless(self, packet, inside):
        return self._stateless

    def stateless_rule(self, packet, table, facts):
        return self.rules.book.stateless.rules[0]

    def connection(self, packet):
        return self._entry

    def attached(self, interface):
        return interface == 2


def step(chain, code=Code.CONTINUE, target="", mark=0, table="twinwall", family="inet", **more):
    return Step(1, StepKind.RULE, family, table, chain, handle=1, code=code, target=target, mark=mark, **more)


def arrival(**more):
    return step("forward", Code.GOTO, "judge", packet=PACKET, inside=2, **more)


def told(*steps, **known):
    return narrate([arrival(), *steps], Known(**known), lambda index: f"if{index}")


def texts(story):
    return [line.text for line in story.lines]
