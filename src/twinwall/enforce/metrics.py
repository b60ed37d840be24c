"""A look at what is in force as Prometheus metrics, in the text format 0.0.4.  Pure: it prints a `Status`.

Counters are the kernel's and begin anew when a policy is replaced, as Prometheus expects of a process that is started again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from twinwall.enforce.status import Status
from twinwall.enforce.status_problems import problems

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
COUNTER, GAUGE = "counter", "gauge"
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class Sample(NamedTuple):
    """One value, and the pairs of label and value that name it."""

    value: float
    labels: tuple[tuple[str, str], ...] = ()


class Metric(NamedTuple):
    """A family of samples."""

    name: str
    kind: str
    text: str
    samples: Callable[[Status], Iterable[Sample]]


def metrics_text(status: Status) -> str:
    """All metrics that have a value."""
    return "".join(line for metric in METRICS for line in _family(metric, status))


def _family(metric: Metric, status: Status) -> Iterator[str]:
    samples = list(metric.samples(status))
    if samples:
        yield f"# HELP {metric.name} {metric.text}\n# TYPE {metric.name} {metric.kind}\n"
    for value, labels in samples:
        said = ",".join(f'{name}="{text.translate(ESCAPES)}"' for name, text in labels)
        yield f"{metric.name}{{{said}}} {value}\n" if said else f"{metric.name} {value}\n"


def labelled(value: float, **labels: str) -> Sample:
    """A sample with labels."""
    return Sample(value, tuple(labels.items()))


def _policy(status: Status) -> Iterator[Sample]:
    force = status.force
    if force is not None:
        mode = status.policy.attach.mode.value if status.policy and status.policy.attach else ""
        chosen = force.chosen
        yield labelled(
            1, policy=chosen.name, digest=chosen.digest, generation=str(force.generation), mode=mode, stateless=force.way
        )


def _trial(status: Status) -> Iterator[Sample]:
    yield Sample(int(status.pending is not None and status.pending.deadline is not None))


def _running(status: Status) -> Iterator[Sample]:
    for what, holder in (("guard", status.guard), ("watchdog", status.watchdog), ("inspect", status.inspector)):
        yield labelled(int(holder is not None), process=what)


def _problems(status: Status) -> Iterator[Sample]:
    yield Sample(len(problems(status)))


def _problem_kinds(status: Status) -> Iterator[Sample]:
    kinds = [each.kind for each in problems(status)]
    for kind in sorted(set(kinds)):
        yield labelled(kinds.count(kind), kind=kind)


def _rules(status: Status, bytes_wanted: bool) -> Iterator[Sample]:
    """Rules with the same sid are one series."""
    sums: dict[tuple[str, int, str], int] = {}
    for rule in status.counted.rules:
        key = (rule.stage, rule.sid, rule.action)
        sums[key] = sums.get(key, 0) + (rule.bytes if bytes_wanted else rule.packets)
    for (stage, sid, action), value in sums.items():
        yield labelled(value, stage=stage, sid=str(sid), action=action)


def _verdicts(status: Status, bytes_wanted: bool) -> Iterator[Sample]:
    for each in status.counted.verdicts:
        value = each.bytes if bytes_wanted else each.packets
        yield labelled(value, stage=each.stage, verdict=each.verdict, reason=each.reason)


def _interfaces(status: Status) -> Iterator[Sample]:
    for each in status.interfaces:
        yield labelled(int(bool(each.way)), interface=each.name, way=each.way)


def _entries(status: Status) -> Iterator[Sample]:
    if status.table is not None:
        yield Sample(status.table.entries)


def _limit(status: Status) -> Iterator[Sample]:
    if status.table is not None:
        yield Sample(status.table.limit)


def _tracker(status: Status) -> Iterator[Sample]:
    for event, value in status.table.statistics.items() if status.table is not None else ():
        yield labelled(value, event=event)


def _waiting(status: Status) -> Iterator[Sample]:
    for each in status.queues:
        yield labelled(each.waiting, queue=str(each.number))


def _queued(status: Status) -> Iterator[Sample]:
    for each in status.queues:
        yield labelled(each.queued, queue=str(each.number))


def _refused(status: Status) -> Iterator[Sample]:
    for each in status.queues:
        yield labelled(each.refused_full, queue=str(each.number), reason="queue_full")
        yield labelled(each.refused_socket, queue=str(each.number), reason="socket_full")


METRICS = (
    Metric(
        "twinwall_in_force", GAUGE, "Whether a policy is in force: 1 or 0.", lambda each: [Sample(int(each.force is not None))]
    ),
    Metric("twinwall_policy_info", GAUGE, "The policy in force; always 1.", _policy),
    Metric("twinwall_policy_on_trial", GAUGE, "Whether a policy is on trial: 1 or 0.", _trial),
    Metric("twinwall_running", GAUGE, "Whether a process of ours runs: guard, watchdog, inspect; 1 or 0.", _running),
    Metric("twinwall_problems", GAUGE, "How much `twinwall status` calls a problem.", _problems),
    Metric("twinwall_problems_by_kind", GAUGE, "The problems there are, by kind.", _problem_kinds),
    Metric(
        "twinwall_rule_packets_total", COUNTER, "Packets that a rule matched.", lambda each: _rules(each, bytes_wanted=False)
    ),
    Metric(
        "twinwall_rule_bytes_total",
        COUNTER,
        "Bytes of packets that a rule matched.",
        lambda each: _rules(each, bytes_wanted=True),
    ),
    Metric(
        "twinwall_packets_total", COUNTER, "Packets by verdict and reason.", lambda each: _verdicts(each, bytes_wanted=False)
    ),
    Metric("twinwall_bytes_total", COUNTER, "Bytes by verdict and reason.", lambda each: _verdicts(each, bytes_wanted=True)),
    Metric("twinwall_interface_guarded", GAUGE, "Whether the stateless stage runs on an interface: 1 or 0.", _interfaces),
    Metric("twinwall_connections", GAUGE, "Connections in the kernel's table.", _entries),
    Metric("twinwall_connections_limit", GAUGE, "Connections that the table has room for.", _limit),
    Metric(
        "twinwall_tracker_events_total", COUNTER, "What the kernel's tracker counted; drop: refused by a full table.", _tracker
    ),
    Metric("twinwall_queue_waiting", GAUGE, "Packets that wait for the inspector.", _waiting),
    Metric("twinwall_queue_packets_total", COUNTER, "Packets that the inspector's queue took.", _queued),
    Metric("twinwall_queue_refused_total", COUNTER, "Packets that the inspector's queue had no room for.", _refused),
)
