"""`twinwall explain POLICY PACKET`: what a policy does to packets given in words, step by step."""

from __future__ import annotations

import click

from twinwall.cli.exit_codes import ExitCode
from twinwall.cli.policy_options import aws_options, policy_options, read_reported

START = 1_000_000_000 * 1_000_000_000  # the conversation's clock starts here: nanoseconds since 1970


@click.command()
@click.argument("policy", type=click.Path())
@click.argument("packet")
@click.option("--then", "more", multiple=True, metavar="PACKET", help="The next packet of the conversation; repeat it.")
@click.option("--json", "as_json", is_flag=True, help="Print the same as JSON.")
@policy_options
def command(
    policy: str, packet: str, more: tuple[str, ...], as_json: bool, home_net: tuple[str, ...], references: tuple[str, ...]
) -> int:
    """Say what POLICY does to PACKET, step by step, and why.

    PACKET is written like `tcp 10.0.0.5:40000 > 198.51.100.7:443 S`.  --then '< S.' goes on with the reply, --then '> .' with
    the next packet of the first side.  docs/explain.md has the whole language.
    """
    loaded, _ = read_reported((policy,), aws_options(home_net, references))
    if loaded is None:
        return ExitCode.POLICY
    from twinwall.cli.explanation import show  # noqa: PLC0415 - `--help` needs none of it
    from twinwall.compile.policy import compile_policy  # noqa: PLC0415
    from twinwall.engine.conversation import Conversation  # noqa: PLC0415
    from twinwall.engine.engine import Engine  # noqa: PLC0415
    from twinwall.engine.machine import InterpretedMachine  # noqa: PLC0415
    from twinwall.engine.recorder import OneFrame, Recorder  # noqa: PLC0415
    from twinwall.engine.spoken_frame import encode  # noqa: PLC0415
    from twinwall.engine.story import Teller  # noqa: PLC0415

    engine = Engine(loaded, compile_policy(loaded), InterpretedMachine())
    recorder, teller = Recorder(engine), Teller(loaded, engine.rules)
    conversation, now = Conversation(), START
    stories = []
    for text in (packet, *more):
        said = conversation.say(text)
        now += said.after
        frame = encode(said)
        account = recorder.record(OneFrame.of(frame.data, frame.link, now, said.interface))
        stories.append(teller.tell(account, str(said)))
    show(stories, as_json=as_json)
    return ExitCode.FINE
