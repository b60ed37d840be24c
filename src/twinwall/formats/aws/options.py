"""What an export does not say, and what AWS does not document: both are the user's to set.

The first two members carry data that the service keeps elsewhere.  The rest are switches: each names a point on which the
public documentation is silent, and its default is the reading we consider likeliest (docs/aws.md, "Switches").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from twinwall.policy.model import Exceptional


class Portless(StrEnum):
    """What a stateless rule's ports (and TCP flags) ask of a packet whose protocol has none."""

    NO_MATCH = "no_match"  # the condition fails
    IGNORE = "ignore"  # the condition is not looked at


class OtherFragments(StrEnum):
    """When a fragment of anything but UDP is dropped."""

    UNMATCHED = "unmatched"  # where no stateless rule matched it
    ALWAYS = "always"  # before any rule


@dataclass(frozen=True, slots=True)
class AwsOptions:
    """How to read an export.

    `home_net`: the CIDRs of the inspection VPC, the service's default for `$HOME_NET`.
    `references`: contents of IP set references, by ARN or by name (`PARTNERS`), as CIDRs.
    `portless`: stateless rules with ports against ICMP and the like.
    `other_fragments`: whether a matching stateless rule saves a TCP or ICMP fragment.
    `midstream`: replaces the policy's StreamExceptionPolicy, for captures that begin in the middle of connections.
    `invalid`: what happens to packets that the tracker calls INVALID; the service has no setting of that name.
    `domain_list_tail`: whether an ALLOWLIST under strict order ends in drop rules, as it does under action order.
    """

    home_net: tuple[str, ...] = ()
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    portless: Portless = Portless.NO_MATCH
    other_fragments: OtherFragments = OtherFragments.UNMATCHED
    midstream: Exceptional | None = None
    invalid: Exceptional = Exceptional.DROP
    domain_list_tail: bool = False
