"""Every diagnostic code of the rule language and the policy file, with what it means: `docs/diagnostics.md` is made of it.

A code is stable: once published it keeps its meaning, and scripts may rely on it.
"""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """The name of a kind of mistake; `meaning` says it in a sentence."""

    # The rule line.
    RULE_SYNTAX = "rule-syntax", "The line does not have the shape `action protocol source port -> destination port (options)`."
    RULE_TOO_LONG = "rule-too-long", "A rule is longer than 64 KiB; longer ones are taken for damage."
    UNKNOWN_ACTION = "unknown-action", "The first word of a rule is not an action."
    STAGE_ACTION = "stage-action", "The action exists, but not in this stage of the policy."
    UNKNOWN_PROTOCOL = "unknown-protocol", "The second word of a rule is not a protocol."
    UNSUPPORTED_PROTOCOL = "unsupported-protocol", "The protocol belongs to the language, but twinwall cannot match it yet."
    BAD_DIRECTION = "bad-direction", "A rule's direction is neither `->` nor `<>`."
    BAD_ADDRESS = "bad-address", "Not an address, a network in CIDR form, a range, a list or a variable."
    BAD_PORT = "bad-port", "Not a port, a range `low:high`, a list or a variable."
    EMPTY_SET = "empty-set", "The addresses or ports, once every exclusion is taken away, are none at all."
    TOO_DEEP = "too-deep", "Lists or variables are nested deeper than anybody needs."
    UNDEFINED_VARIABLE = "undefined-variable", "A rule or a variable uses a variable that the policy does not define."
    VARIABLE_LOOP = "variable-loop", "A variable is defined by itself, directly or through others."
    BAD_VARIABLE_NAME = "bad-variable-name", "A variable's name is not a letter followed by letters, digits and underscores."
    # Keywords.
    UNKNOWN_KEYWORD = "unknown-keyword", "The option is not a keyword of the rule language."
    UNSUPPORTED_KEYWORD = "unsupported-keyword", "The keyword belongs to the language, but twinwall cannot match it yet."
    STAGE_KEYWORD = "stage-keyword", "The keyword needs to know the connection and has no meaning in the stateless stage."
    BAD_VALUE = "bad-value", "What stands behind the keyword is not what the keyword takes."
    CONFLICT = "conflict", "Two options of one rule contradict each other, or one is given twice."
    NEVER_MATCHES = "never-matches", "The parts of the rule exclude each other: no packet can match it."
    MISSING_SID = "missing-sid", "A rule has no `sid`."
    DUPLICATE_SID = "duplicate-sid", "Two rules have the same `gid` and `sid`."
    TOO_MANY_NAMES = "too-many-names", "More different interfaces than twinwall can number."
    # The policy file.
    SEVERAL_POLICIES = "several-policies", "More than one policy file was named where only an AWS export may have several."
    FILE_UNREADABLE = "file-unreadable", "A file that the policy names cannot be opened or is not UTF-8 text."
    FILE_MISSING = "file-missing", "A pattern under `files` matches no file."
    FILE_TOO_LARGE = "file-too-large", "The file is larger than any policy; it is not read further."
    YAML_SYNTAX = "yaml-syntax", "The file is not YAML."
    YAML_ALIAS = "yaml-alias", "Anchors, aliases, merge keys and tags are not part of the policy file."
    DUPLICATE_KEY = "duplicate-key", "A key stands twice in one mapping."
    UNKNOWN_KEY = "unknown-key", "A key that the policy file does not have."
    WRONG_SHAPE = "wrong-shape", "A mapping, a list or a single value stands where another of the three is expected."
    BAD_CHOICE = "bad-choice", "The value is not one of those that the key takes."
    BAD_NUMBER = "bad-number", "The value is not a whole number in the range that the key takes."
    BAD_DURATION = "bad-duration", "The value is not a time such as `350s`, `5m`, `2h`, `1d` or a number of seconds."
    UNSUPPORTED_VERSION = (
        "unsupported-version",
        "The file says a version of the policy format that this twinwall does not read.",
    )
    MISSING_KEY = "missing-key", "A key that every policy file has is not there."
    ORDER_DEFAULT = "order-default", "Default actions exist in strict order only, and not every pair of them goes together."
    EMPTY_ATTACH = "empty-attach", "`attach` is there and says nothing."
    BAD_INTERFACE = "bad-interface", "Not a name that Linux gives an interface, or an interface that has no place there."
    NAT_MODE = "nat-mode", "Addresses are translated on a gateway only, and the policy is not attached as one."
    NAT_CONFLICT = "nat-conflict", "Translations of addresses contradict each other, or one contradicts itself."
    NOT_BUILT_IN = "not-built-in", "Something that twinwall knows of and does not do."
    # Compiling.
    TOO_MANY_RULES = "too-many-rules", "A stage has more rules, or more different address ranges, than fit into memory."
    # Rendering for the kernel.
    NOT_ENFORCEABLE = "not-enforceable", "The policy can be replayed, but Linux cannot do exactly what it says."
    # What `lint` notices.
    ASYMMETRIC = "asymmetric", "A stateless pass or forward rule has no mirror for the packets that come back."
    SHADOWING_FLOW = (
        "shadowing-flow",
        "In strict order, a rule on addresses and ports alone decides a flow before a later rule can look into it.",
    )
    FLAGS_ONE_WAY = "flags-one-way", "A stateless pass or forward rule asks for TCP flags that the replies do not have."
    STREAM_ONLY = (
        "stream-only",
        "The rule asks for reassembled data only (`flow:only_stream`); rules are asked about packets, so it never matches.",
    )
    PIECES_ONLY = (
        "pieces-only",
        "A stateful rule asks for a piece of a datagram; the stage sees datagrams put together, so it never matches.",
    )

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Code:
        """A string that carries its meaning."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member
