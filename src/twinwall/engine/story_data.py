"""A story as plain data, for `--json`: the same sentences, and the values behind them."""

from __future__ import annotations

from typing import Any

from twinwall.conntrack.entry import ST_ASSURED, ST_SEEN_REPLY
from twinwall.engine import row_wording as rows
from twinwall.engine import wording as w
from twinwall.engine.batch import PROTOCOLS
from twinwall.engine.decision import RejectReply
from twinwall.engine.recorder import Account, Row
from twinwall.engine.story import Line, Story
from twinwall.path.reason import CtState, Direction, StageName
from twinwall.policy.model import Rule

Data = dict[str, Any]  # what JSON can say


def story_data(story: Story) -> Data:
    """One packet's story; a key whose value is null does not apply."""
    return {
        "packet": story.account.number,
        "title": story.title,
        "verdict": story.verdict,
        **_decision(story.account),
        "rule": rule_data(story.rule) if story.rule else None,
        "flow": _flow(story.account),
        "lines": [_line(line) for line in story.lines],
    }


def rule_data(rule: Rule) -> Data:
    """What identifies a rule; `file` and `line` are null for one that nobody wrote."""
    return {
        "sid": rule.sid,
        "gid": rule.gid,
        "rev": rule.rev,
        "msg": rule.message,
        "action": rule.action.value,
        "synthetic": rule.synthetic,
        "file": None if rule.synthetic else rule.span.file,
        "line": None if rule.synthetic else rule.span.line,
    }


def _line(line: Line) -> Data:
    return {
        "section": line.section,
        "text": line.text,
        "event": line.event.name.lower() if line.event else None,
        "rule": rule_data(line.rule) if line.rule else None,
    }


def _decision(account: Account) -> Data:
    decision, record = account.decision, account.record
    decided = not account.pending
    reason = w.REASONS[int(decision["reason"])] if decided else None
    label, direction = CtState(int(decision["ct_state"])), Direction(int(decision["direction"]))
    established = int(decision["established"])
    return {
        "proto": PROTOCOLS[int(record["proto"])] if int(record["version"]) else None,
        "src": rows.endpoint_words(record, "src", "sport") or None,
        "dst": rows.endpoint_words(record, "dst", "dport") or None,
        "stage": StageName(int(decision["stage"])).name.lower() if decided else None,
        "reason": reason.name.lower() if reason else None,
        "explanation": reason.explanation if reason else None,
        "ct_state": label.name if decided and label else None,
        "direction": direction.name.lower() if decided and direction is not Direction.NONE else None,
        "established": bool(established) if decided and established < 2 else None,
        "scope": ("flow" if int(decision["scope"]) else "packet") if decided else None,
        "reject": RejectReply(int(decision["reject"])).name.lower() if decided and int(decision["reject"]) else None,
    }


def _flow(account: Account) -> Data | None:
    if account.after is None:
        return None
    after = account.after
    status = int(after["status"])
    return {
        "flow_id": int(after["flow_id"]),
        "state_before": _state(account.before),
        "state_after": _state(after),
        "timeout_left": max(0, int(after["deadline"]) - int(account.decision["timestamp"])) / rows.NANOSECONDS,
        "seen_reply": bool(status & ST_SEEN_REPLY),
        "assured": bool(status & ST_ASSURED),
        "verdict": w.FLOW_VERDICTS.get(int(after["verdict"])),
    }


def _state(entry: Row | None) -> str | None:
    return rows.state_words(entry) or None if entry is not None else None
