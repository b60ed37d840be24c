"""AWS Network Firewall's log (`--aws-log FILE`): alerts and netflows in the envelope that the service delivers.

One JSON object a line.  The service differs from EVE: no `gid`, no `pcap_cnt`, no flow snapshot; ICMP has ports, both 0; a
netflow carries the connection's state; alerts name the rule group, or the policy for a default action, as `resource_arn`.
Of the default actions the service's log shows signatures `aws:alert_… action` with the numbers 2, 4, 6 and 8; which number
belongs to which is known for two of them (4: established TCP, 2: everything that is not TCP, and strict).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from twinwall.engine.batch import DecisionBatch
from twinwall.events.alert import alert_record
from twinwall.events.eve import json_lines
from twinwall.events.flow import END_REASONS, ended_at, flow_state, netflow_records
from twinwall.events.packet import JsonObject
from twinwall.events.rows import FlowRow, alert_rows, flow_rows
from twinwall.events.sink import Sink
from twinwall.events.timestamp import NANOSECONDS
from twinwall.path.layout import TCP
from twinwall.policy.model import Rule

PACKET_SOURCE = "geneve encapsulation"
# The numbers of default actions for TCP; for other protocols it is always 2.
DEFAULT_SIDS = {
    "strict": 2,
    "established": 4,
    "established_app_layer": 6,
    "established_app_layer_to_server": 8,
}
_DEFAULT_ACTION = re.compile(r"\b(?:drop|alert)_(strict|established(?:_app_layer(?:_to_server)?)?)\b")
_POLICY_ARN = re.compile(r"(arn:[^:]*:network-firewall:[^:]*:[^:]*:)firewall-policy/.+")


@dataclass(frozen=True)
class Envelope:
    """What the service knows of itself: the firewall, its zone, and the policy's ARN (empty: it has none)."""

    firewall_name: str
    availability_zone: str = ""
    policy_arn: str = ""

    def wrap(self, timestamp: int, event: JsonObject, resource: str = "") -> JsonObject:
        """The event in its envelope; `timestamp` in nanoseconds since 1970."""
        record: JsonObject = {
            "firewall_name": self.firewall_name,
            "availability_zone": self.availability_zone,
            "event_timestamp": str(timestamp // NANOSECONDS),
        }
        if resource:
            record["aws_metadata"] = {"resource_arn": resource}
        return record | {"event": event}

    def resource(self, rule: Rule) -> str:
        """The ARN of what the rule stands in: its group, or the policy; empty if the policy is not one of AWS's."""
        if rule.group.startswith("arn:"):
            return rule.group
        policy = _POLICY_ARN.fullmatch(self.policy_arn)
        if policy is None or rule.synthetic or not rule.group:
            return self.policy_arn
        return f"{policy[1]}stateful-rulegroup/{rule.group}"


def batch_records(batch: DecisionBatch, envelope: Envelope) -> list[JsonObject]:
    """The batch's alerts, then the netflows of the connections that ended with it."""
    records = alert_log(batch, envelope)
    for flow in flow_rows(batch):
        records += netflow_log(flow, envelope)
    return records


def alert_log(batch: DecisionBatch, envelope: Envelope) -> list[JsonObject]:
    """The batch's alerts as the service logs them."""
    records = []
    for alert, packet in alert_rows(batch):
        rule = batch.rules.stateful[alert.rule]
        event = _with_ports(alert_record(batch, alert, packet))
        for name in ("pcap_cnt", "flow"):
            event.pop(name, None)
        event["pkt_src"] = PACKET_SOURCE
        del event["alert"]["gid"]
        event["alert"] |= _default_action(rule, packet.proto)
        records.append(envelope.wrap(packet.timestamp, event, envelope.resource(rule)))
    return records


def netflow_log(flow: FlowRow, envelope: Envelope) -> list[JsonObject]:
    """An ended connection as the service logs it: one record for each direction."""
    ending = {
        "state": flow_state(flow).value,
        "reason": END_REASONS.get(flow.end_reason, "unknown"),
        "alerted": bool(flow.alerts),
    }
    records = []
    for event in netflow_records(flow):
        event["netflow"] |= ending
        records.append(envelope.wrap(ended_at(flow), event))
    return records


def _default_action(rule: Rule, proto: int) -> JsonObject:
    """Number and signature of a default action, in the service's words; nothing for a written rule."""
    found = _DEFAULT_ACTION.search(f"{rule.message} {rule.text}") if rule.synthetic else None
    if found is None:
        return {}
    sid = DEFAULT_SIDS[found[1]] if proto == TCP else 2
    return {"signature_id": sid, "signature": f"aws:alert_{found[1]} action"}


def _with_ports(event: JsonObject) -> JsonObject:
    """The event with ports, both 0, where its protocol is ICMP."""
    if "icmp_type" not in event:
        return event
    ported: JsonObject = {}
    for name, value in event.items():
        ported[name] = value
        if name in ("src_ip", "dest_ip"):
            ported["src_port" if name == "src_ip" else "dest_port"] = 0
    return ported


class AwsLogWriter:
    """Writes batches as the service's log; as a context manager, completes the file or, on an exception, leaves none."""

    def __init__(self, target: str | Path, envelope: Envelope) -> None:
        self._sink = Sink(target)
        self._envelope = envelope

    def write(self, batch: DecisionBatch) -> None:
        """Append the batch's records."""
        self._sink.write(json_lines(batch_records(batch, self._envelope)))

    def __enter__(self) -> AwsLogWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._sink.__exit__(kind, error, trace)
