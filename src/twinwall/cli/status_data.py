"""`twinwall status` for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from twinwall.enforce.lock import Holder
from twinwall.enforce.state import Chosen
from twinwall.enforce.status import Status
from twinwall.enforce.status_problems import problems, remarks

if TYPE_CHECKING:
    from twinwall.engine.story_data import Data


def status_data(status: Status) -> Data:
    """One look; a key whose value is null does not apply."""
    force = status.force
    return {
        "in_force": force is not None,
        "policy": None if force is None else {**_chosen(force.chosen), "generation": force.generation, "since": force.since},
        "by": status.by or None,
        "confirmed": _chosen(status.confirmed.policy) if status.confirmed and status.confirmed.policy else None,
        "on_trial_until": status.pending.until or None if status.pending else None,
        "mode": status.policy.attach.mode.value if status.policy and status.policy.attach else None,
        "stateless": None if force is None else {"way": force.way, "why": force.why or None},
        "interfaces": [{"name": each.name, "present": each.present, "way": each.way or None} for each in status.interfaces],
        "verdicts": [{**asdict(each), "explanation": each.explanation} for each in status.counted.verdicts],
        "rules": [asdict(each) for each in status.counted.rules],
        "connections": asdict(status.table) if status.table else None,
        "queues": [{name: value for name, value in each._asdict().items() if name != "receiver"} for each in status.queues],
        "handed_to_queues": sum(each.packets for each in status.handed),
        "log_groups_read": sorted(status.receivers.logs),
        "receivers": {
            "log_groups": {str(number): who for number, who in status.receivers.logs.items()},
            "queues": {str(number): who for number, who in status.receivers.queues.items()},
        },
        "guard": _holder(status.guard),
        "watchdog": _holder(status.watchdog),
        "inspector": _holder(status.inspector),
        "settings": [
            {"name": each.setting.name, "value": each.value, "wanted": each.setting.value, "required": each.setting.required}
            for each in status.settings
        ],
        "problems": [asdict(each) for each in problems(status)],
        "remarks": list(remarks(status)),
    }


def _chosen(chosen: Chosen) -> Data:
    return {"name": chosen.name, "digest": chosen.digest}


def _holder(holder: Holder | None) -> Data:
    """A process that works all the time."""
    return {"running": holder is not None, "process": holder.pid or None if holder is not None else None}
