"""A small world for engine tests: a policy as text, an engine that is interpreted, and packets in words or bytes."""

from __future__ import annotations

from twinwall.compile.policy import compile_policy
from twinwall.engine.conversation import Conversation
from twinwall.engine.engine import Engine, Settings
from twinwall.engine.machine import InterpretedMachine
from twinwall.engine.recorder import Account, OneFrame, Recorder
from twinwall.engine.spoken_frame import encode
from twinwall.engine.story import Story, Teller
from twinwall.path.layout import LINK_RAW
from twinwall.path.reason import Reason, Verdict
from twinwall.policy.model import Policy
from twinwall.rules.policy_file import read_policy_text

START = 10**18


def policy_of(text: str) -> Policy:
    """The policy that a YAML text (without its first line) says."""
    policy, diagnostics = read_policy_text("twinwall: 1\n" + text, "test.yaml", open_file=lambda name: "")
    assert policy is not None, diagnostics
    return policy


def stateful(rules: str, settings: str = "", order: str = "strict") -> str:
    """A policy text with a stateful stage of `rules`."""
    lines = "".join(f"    {line.strip()}\n" for line in rules.strip().splitlines())
    return (
        f"{settings}\nstateful:\n  order: {order}\n  rules: |\n{lines}"
        if lines
        else f"{settings}\nstateful: {{order: {order}}}\n"
    )


class World:
    """One policy, one engine, one conversation, and a clock that the test moves."""

    def __init__(self, text: str, settings: Settings | None = None) -> None:
        self.policy = policy_of(text)
        self.engine = Engine(self.policy, compile_policy(self.policy), InterpretedMachine(), settings)
        self.recorder = Recorder(self.engine)
        self.conversation = Conversation()
        self.teller = Teller(self.policy, self.engine.rules)
        self.now = START

    def say(self, *texts: str) -> Account:
        """Send packets in words; the account of the last one."""
        for text in texts:
            packet = self.conversation.say(text)
            self.now += packet.after
            frame = encode(packet)
            account = self.send(frame.data, frame.link, packet.interface)
        return account

    def send(self, data: bytes, link: int = LINK_RAW, interface: str = "", wire: int | None = None) -> Account:
        """Send a frame; `wire`: its length before the capture cut it."""
        batch = OneFrame.of(data, link, self.now, interface)
        if wire is not None:
            batch.frames["wire_length"] = wire
        return self.recorder.record(batch)

    def story(self, *texts: str) -> Story:
        """The story of the last of some packets."""
        return self.teller.tell(self.say(*texts), "told")

    def text(self, *texts: str) -> str:
        """The same as one text."""
        return "\n".join(f"{line.section}: {line.text}" for line in self.story(*texts).lines)

    def reason(self, packet: int) -> Reason:
        """Why packet `packet` (from 1) has its verdict by now."""
        return {reason.value: reason for reason in Reason}[int(self.recorder.row(self.engine.decisions, packet)["reason"])]

    def verdict(self, packet: int) -> Verdict:
        """Its verdict."""
        return Verdict(int(self.recorder.row(self.engine.decisions, packet)["verdict"]))


def raw(text: str) -> bytearray:
    """The bytes of a packet in words, to be damaged."""
    return bytearray(encode(Conversation().say(text)).data)
