"""Amazon resource names of firewall policies and rule groups: `arn:PARTITION:network-firewall:REGION:ACCOUNT:KIND/NAME`."""

from __future__ import annotations

import re
from dataclasses import dataclass

ARN = re.compile(r"arn:(aws[a-z-]*):network-firewall:([a-z0-9-]*):([0-9]{12}|aws-managed):([a-z-]+)/([A-Za-z0-9_.-]{1,128})")


@dataclass(frozen=True, slots=True)
class Arn:
    """The parts of a name that matter here; `kind` is `stateless-rulegroup`, `stateful-rulegroup`, `firewall-policy`."""

    partition: str
    region: str
    account: str
    kind: str
    name: str

    @property
    def managed(self) -> bool:
        """Whether AWS (or a Marketplace seller through AWS) owns the rule group."""
        return self.account == "aws-managed"


def parse_arn(text: str) -> Arn | None:
    """The parts of an ARN of this service; None if the text is none."""
    match = ARN.fullmatch(text)
    return Arn(*match.groups()) if match else None
