"""How many chains a packet can be led through: the kernel follows sixteen and refuses a ruleset that needs more."""

from __future__ import annotations

import pytest

from tests.oracle.kernel import Namespace, why_unavailable
from twinwall.policy.diagnostic import PolicyError
from twinwall.render.chains import MOST, Chains
from twinwall.render.options import RenderOptions
from twinwall.render.ruleset import render_ruleset
from twinwall.rules.policy_file import read_policy_text


def row(count: int) -> Chains:
    chains = Chains()
    for number in range(count, 0, -1):
        chains.add(f"c{number}", [f"goto c{number + 1}"] if number < count else ["drop"])
    return chains


def test_the_longest_way_is_found_also_through_verdict_maps():
    chains = row(3)
    chains.add("start", ["ct state vmap { new : goto c3, established : jump c1 }"])
    assert chains.longest() == ["start", "c1", "c2", "c3"]


@pytest.mark.kernel
@pytest.mark.parametrize(("length", "taken"), [(MOST, True), (MOST + 1, False)])
def test_the_kernel_follows_as_many_as_we_say(length, taken):
    if why_unavailable():
        pytest.skip(why_unavailable())
    base = "\tchain base {\n\t\ttype filter hook forward priority 0\n\t\tgoto c1\n\t}\n"
    namespace = Namespace()
    try:
        script = f"table inet t {{\n{row(length).text()}{base}}}\n"
        if taken:
            namespace.run("nft", "-f", "-", text=script)
        else:
            with pytest.raises(RuntimeError, match="Too many links"):
                namespace.run("nft", "-f", "-", text=script)
    finally:
        namespace.close()


def test_a_policy_that_needs_more_is_refused_by_name():
    tests = "".join(f"flowbits:isnotset,b{number};" for number in range(12))
    sets = "".join(
        f"    pass tcp any any -> any {number + 1} (flowbits:set,b{number}; sid:{number + 2};)\n" for number in range(12)
    )
    text = (
        "twinwall: 1\nstateful:\n  order: strict\n  rules: |\n"
        f"    drop tcp any any -> any 80 ({tests} dsize:>10; sid:1;)\n{sets}"
        "attach:\n  inside: lan0\n  outside: wan0\n"
    )
    policy, mistakes = read_policy_text(text, "p.yaml", open)
    assert policy is not None, mistakes
    with pytest.raises(PolicyError, match=f"and Linux follows {MOST}"):
        render_ruleset(policy, RenderOptions())
