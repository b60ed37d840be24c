"""The policy file: what a sound one means, and where every mistake of a broken one stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import PolicyError
from twinwall.policy.model import Action, Attach, Exceptional, Mode, Order, Overlap, StatefulDefault, Timeout
from twinwall.rules.policy_file import load_policy, read_policy_text

VECTORS = Path(__file__).parents[2] / "vectors" / "policies"
WHOLE = """\
twinwall: 1
name: edge
variables:
  HOME_NET: [10.20.0.0/16, 2001:db8:20::/48]
  OUTSIDE: "!$HOME_NET"
  WEB: [80, 443]
stateless:
  default: forward
  fragments: drop
  rules: |
    # spoofed
    drop ip 127.0.0.0/8 any -> any any (interface:wan0; sid:11;)

    pass icmp any any <> $HOME_NET any \\
      (itype:8; sid:12;)
stateful:
  order: strict               # strict | action
  default: [drop_established, alert_established]
  midstream: reject
  invalid: continue
  rules: |
    pass tcp $HOME_NET any -> $OUTSIDE $WEB (flow:to_server; flowbits:set,web; sid:100;)
timeouts: {tcp_established: 350s, udp: 2m, gre: 1.5}
tracking: {tcp_loose: false, connections: 1000, overlap: linux}
attach:
  mode: bridge
  inside: [lan0]
  outside: wan0
"""


def read(text, files=None):
    files = files or {}

    def open_file(name):
        if name not in files:
            raise FileNotFoundError(2, "no such file")
        return files[name]

    return read_policy_text(
        text, "p.yaml", open_file, lambda pattern: sorted(name for name in files if Path(name).match(pattern))
    )


def mistakes(text, files=None):
    policy, diagnostics = read(text, files)
    assert policy is None
    return [(each.code, each.span.line, each.span.column) for each in diagnostics]


def sound(text, files=None):
    policy, diagnostics = read(text, files)
    assert diagnostics == ()
    return policy


def test_a_whole_policy_arrives():
    policy = sound(WHOLE)
    assert policy.name == "edge"
    assert (policy.stateless.default, policy.stateless.fragments, policy.stateless.other_fragments) == (
        Action.FORWARD,
        Action.DROP,
        None,
    )
    assert [(rule.sid, rule.span.line, rule.span.column) for rule in policy.stateless.rules] == [(11, 12, 5), (12, 14, 5)]
    assert policy.stateful.order is Order.STRICT
    assert policy.stateful.default == (StatefulDefault.DROP_ESTABLISHED, StatefulDefault.ALERT_ESTABLISHED)
    assert (policy.stateful.midstream, policy.stateful.invalid) == (Exceptional.REJECT, Exceptional.CONTINUE)
    assert policy.stateful.rules[0].destination.contains(4, 11 << 24)
    assert not policy.stateful.rules[0].destination.contains(4, (10 << 24) + (20 << 16))
    assert policy.tracking.seconds(Timeout.TCP_ESTABLISHED) == 350
    assert policy.tracking.seconds(Timeout.UDP) == 120
    assert policy.tracking.seconds(Timeout.GRE) == 1.5
    assert (policy.tracking.tcp_loose, policy.tracking.connections, policy.tracking.overlap) == (False, 1000, Overlap.LINUX)
    assert policy.attach == Attach(Mode.BRIDGE, ("lan0",), ("wan0",))
    assert (policy.interfaces, policy.flowbits) == (("wan0",), ("web",))


def test_an_empty_policy_has_the_defaults():
    policy = sound("twinwall: 1\nstateless:\nstateful:\n  rules:\ntimeouts:\n")
    assert policy == type(policy)()


def test_a_fragment_without_a_word_of_its_own_gets_the_default():
    assert sound("twinwall: 1\nstateless: {default: drop}").stateless.fragments is Action.DROP


def test_files_are_read_behind_the_rules_and_name_their_group():
    files = {"rules/b.rules": "drop ip any any -> any any (sid:3;)", "rules/a.rules": "pass ip any any -> any any (sid:2;)"}
    text = "twinwall: 1\nstateful:\n  order: strict\n  files: [rules/*.rules]\n"
    text += "  rules: |\n    alert ip any any -> any any (sid:1;)\n"
    rules = sound(text, files).stateful.rules
    assert [(rule.sid, rule.group) for rule in rules] == [(1, ""), (2, "rules/a.rules"), (3, "rules/b.rules")]


def test_mistakes_in_files_stand_in_those_files():
    policy, diagnostics = read(
        "twinwall: 1\nstateful:\n  files: x.rules", {"x.rules": "\n  pass ip any any -> any any (sid:x;)"}
    )
    assert policy is None
    assert [str(each.span) for each in diagnostics] == ["x.rules:2:35"]


def test_rules_may_be_a_list_or_quoted_or_folded():
    rule = "pass ip any any -> any any (sid:%d;)"
    text = f'twinwall: 1\nstateful:\n  rules:\n    - "{rule % 1}"\n    - {rule % 2}\n'
    text += f"stateless:\n  rules: >\n    {rule % 3}\n\n    {rule % 4}\n"
    policy = sound(text)
    assert [(each.sid, each.span.line, each.span.column) for each in policy.stateful.rules] == [(1, 4, 8), (2, 5, 7)]
    assert [(each.sid, each.span.line) for each in policy.stateless.rules] == [(3, 8), (4, 10)]


def test_lines_behind_a_rules_block_keep_their_numbers():
    text = "twinwall: 1\nstateful:\n  rules: |\n    pass ip any any -> any any (sid:1;)\n\n\n  order: strct\n"
    assert mistakes(text) == [(Code.BAD_CHOICE, 7, 10)]


def test_a_block_with_an_explicit_indentation_is_read_too():
    text = "twinwall: 1\nstateful:\n  rules: |2\n      pass ip any any -> any any (sid:1;)\n      bad\n"
    assert mistakes(text) == [(Code.RULE_SYNTAX, 5, 9)]


def test_every_vector_file_is_used_and_says_what_it_catches():
    names = {path.name for path in VECTORS.iterdir()}
    assert names == {"mistakes.json"}
    vectors = json.loads((VECTORS / "mistakes.json").read_text())
    assert all(vector["catches"] for vector in vectors)
    assert len({vector["policy"] for vector in vectors}) == len(vectors)


@pytest.mark.parametrize("vector", json.loads((VECTORS / "mistakes.json").read_text()), ids=lambda vector: vector["catches"])
def test_fails_with(vector):
    _, diagnostics = read(vector["policy"], vector.get("files"))
    assert [str(each) for each in diagnostics] == vector["diagnostics"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "twinwall",
        "[",
        "{",
        "- 1",
        "a: b: c",
        "\t",
        "%YAML 9.9\n---\n",
        "--- 1\n--- 2",
        "? ? ?",
        "a: &x [*x]",
        "a: !!python/object:os {}",
        "twinwall: 1\n" + "a: " * 5000,
        "[" * 100_000,
        "- " * 50_000,
        "{a: " * 60,
        "'" * 9999,
        "\x00\x01\x02",
        "twinwall: \ud800",
        "\ufeff",
        "x: |\n" + " rules: |\n" * 1000,
        "twinwall: 1\n" + "\n".join(f"{'  ' * at}a:" for at in range(900)),
        "!!map {}",
        "!!set {a}",
        "<<: {a: 1}",
        "&a a: *a",
        "twinwall: 1\nstateful: {rules: [[a]]}",
        "? [a]\n: b",
        "twinwall: !!binary x",
    ],
)
def test_nonsense_is_a_diagnostic(text):
    policy, diagnostics = read(text)
    assert policy is None
    assert diagnostics


def test_an_alias_bomb_is_refused_at_its_first_anchor():
    bomb = "twinwall: 1\nvariables:\n  A: &a [1,1]\n" + "".join(f"  B{at}: &b{at} [*a, *a]\n" for at in range(50))
    assert mistakes(bomb) == [(Code.YAML_ALIAS, 3, 6)]


def test_too_much_text_is_refused():
    assert mistakes("twinwall: 1\nname: " + "x" * (2 << 20)) == [(Code.FILE_TOO_LARGE, 1, 1)]
    assert mistakes("x" * (65 << 20)) == [(Code.FILE_TOO_LARGE, 1, 1)]


def test_a_large_rules_block_is_no_work_for_the_yaml_reader():
    block = "".join(f"    pass tcp 10.0.0.0/8 any -> any {at} (sid:{at};)\n" for at in range(1, 20001))
    assert len(sound(f"twinwall: 1\nstateful:\n  rules: |\n{block}").stateful.rules) == 20000


def test_load_policy_reads_a_folder(tmp_path):
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "one.rules").write_text("drop ip any any -> any any (sid:7;)\n")
    (tmp_path / "p.yaml").write_text("\ufefftwinwall: 1\nstateful: {files: 'rules/*.rules'}\n", encoding="utf-8")
    for path in (tmp_path / "p.yaml", str(tmp_path / "p.yaml")):
        assert [rule.sid for rule in load_policy(path).stateful.rules] == [7]


def test_load_policy_reads_a_bare_rules_file_in_action_order(tmp_path):
    path = tmp_path / "x.rules"
    path.write_text("alert ip any any -> any any (sid:1;)\npass ip any any -> any any (sid:2;)\n")
    policy = load_policy(path)
    assert (policy.stateful.order, [rule.sid for rule in policy.stateful.rules]) == (Order.ACTION, [2, 1])


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"twinwall: 1\nname: \xff", ":2:7"),
        (None, ":1:1"),
        ("twinwall: 1\n".encode("utf-16"), ":1:1"),
        (b"\x7fELF\x00\x00", ":1:1"),
    ],
)
def test_load_policy_says_what_is_wrong_with_a_file(tmp_path, content, place):
    path = tmp_path / "p.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == Code.FILE_UNREADABLE
    assert str(diagnostic.span) == f"{path}{place}"


@pytest.mark.parametrize(
    "start", [b"\xd4\xc3\xb2\xa1\x02\x00", b"\n\r\r\n\x1c\x00\x00\x00\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff", b"\x1f\x8b\x08"]
)
def test_a_capture_in_the_place_of_the_policy_is_recognised(tmp_path, start):
    path = tmp_path / "traffic.pcap"
    path.write_bytes(start)
    with pytest.raises(PolicyError) as caught:
        load_policy(path)
    assert "capture" in caught.value.diagnostics[0].hint


LISTED = """twinwall: 1
variables:
  BLOCKED: {file: lists/*.txt}
stateful:
  rules: |
    drop ip $BLOCKED any -> any any (sid:1;)
"""


def listed(files):
    return read_policy_text(LISTED, "policy.yaml", files.__getitem__, lambda _: sorted(files))


def test_a_variable_s_elements_stand_in_files():
    policy, mistakes = listed(
        {"lists/a.txt": "# from the feed\n192.0.2.1  # a comment\n\n  198.51.100.0/24\n", "lists/b.txt": "2001:db8::/32"}
    )
    assert not mistakes
    source = policy.stateful.rules[0].source
    assert source.v4 == ((0xC0000201, 0xC0000201), (0xC6336400, 0xC63364FF))
    assert source.v6[0][0] >> 96 == 0x20010DB8


def test_a_mistake_in_a_listed_file_has_its_place_there():
    _, mistakes = listed({"lists/a.txt": "192.0.2.1\n   192.0.2.1000\n"})
    (only,) = mistakes
    assert (only.code, only.span.file, only.span.line, only.span.column) == (Code.BAD_ADDRESS, "lists/a.txt", 2, 4)


@pytest.mark.parametrize("value", ["{file: []}", "{files: a.txt}", "{}"])
def test_a_variable_that_names_no_file_is_a_mistake(value):
    _, mistakes = read_policy_text(LISTED.replace("{file: lists/*.txt}", value), "policy.yaml", {}.__getitem__, lambda _: [])
    assert mistakes


def test_an_empty_listed_file_is_a_mistake():
    _, mistakes = listed({"lists/a.txt": "# nothing today\n"})
    assert Code.WRONG_SHAPE in {each.code for each in mistakes}
