"""That the harness would notice: the kernel is given a policy that differs a little from replay's."""

from __future__ import annotations

from random import Random

import pytest

from tests.fidelity import trial
from tests.fidelity.enforced import WAYS, in_force, read_policy
from tests.fidelity.gateway import GROUP
from tests.fidelity.traffic import traffic
from tests.fidelity.trial import Trial
from tests.oracle.kernel import why_unavailable

pytestmark = pytest.mark.kernel

POLICY = f"""
twinwall: 1
attach: {{mode: gateway, inside: [in0], outside: [out0], log_group: {GROUP}}}
stateless:
  default: forward
  rules: |
    drop udp any any -> any 53 (sid:1;)
stateful:
  order: strict
  default: [drop_established, alert_established]
  midstream: drop
  rules: |
    alert ip any any -> any 8080 (sid:1;)
    pass tcp 10.0.0.0/16 any -> any [80, 443] (sid:2;)
    reject tcp any any -> any 22 (flow:to_server; sid:3;)
"""
CHANGES = {
    "another verdict": ("pass tcp 10", "drop tcp 10"),
    "another port": ("[80, 443]", "[80, 444]"),
    "no report": ("8080 (", "8080 (noalert; "),
    "another rule with the same verdict": ("pass tcp 10", "pass tcp any any -> any 443 (sid:9;)\n    pass tcp 10"),
    "no answer": ("reject tcp", "drop tcp"),
    "another exception": ("midstream: drop", "midstream: continue"),
    "another default": ("[drop_established, alert_established]", "[drop_established]"),
    "another stateless verdict": ("drop udp", "pass udp"),
    "another stateless port": ("any 53 (", "any 54 ("),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_kernel_with_another_policy_is_found_out(change: str, monkeypatch):
    reason = why_unavailable()
    if reason:
        pytest.skip(reason)
    there = read_policy(POLICY.replace(*CHANGES[change]))
    monkeypatch.setattr(trial, "in_force", lambda gateway, _, *how: in_force(gateway, there, *how))
    assert Trial(POLICY, traffic(Random(5), 400), WAYS[0]).run().differences
