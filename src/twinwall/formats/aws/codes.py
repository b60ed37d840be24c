"""Every finding about an AWS export: its stable code, its severity, and what to do about it.

A label is stable: once published it keeps its meaning, and scripts may rely on it.  What is wrong in the rule language itself
carries the codes of `twinwall.policy.codes`.
"""

from __future__ import annotations

from enum import Enum

from twinwall.policy.diagnostic import Diagnostic, Severity, Span

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING


class Code(Enum):
    """A finding's code, severity and general remedy."""

    # Files.
    FOREIGN = "aws-foreign", _ERROR, "give the output of `describe-firewall-policy` or `describe-rule-group`"
    ENCODING = "aws-encoding", _ERROR, "save the file as UTF-8; in Windows PowerShell: `… | Out-File -Encoding utf8 FILE`"
    NO_POLICY = "aws-no-policy", _ERROR, "run `aws network-firewall describe-firewall-policy --firewall-policy-name NAME`"
    SEVERAL_POLICIES = "aws-several-policies", _ERROR, "load one policy at a time, or keep each in its own folder"
    WRONG_TYPE = "aws-wrong-type", _ERROR, "export the resource again; the schema is the `network-firewall` API's"
    MISSING = "aws-missing", _ERROR, "export the resource again; the API requires this member"
    VOCABULARY = "aws-vocabulary", _ERROR, "use one of the API's values"
    UNREADABLE = "aws-unreadable", _ERROR, "check the path and its permissions"
    UNUSED = "aws-unused", _WARNING, "the policy does not refer to this rule group; remove the file if that is right"
    BAD_ARN = "aws-bad-arn", _ERROR, "an ARN looks like arn:aws:network-firewall:us-east-1:111122223333:stateful-rulegroup/NAME"
    NEXT_GENERATION = (
        "aws-next-generation",
        _ERROR,
        "only Classic policies are supported: firewall policies and STATELESS/STATEFUL groups",
    )
    # References of the policy.
    GROUP_MISSING = "aws-group-missing", _ERROR, ""
    MANAGED_MISSING = (
        "aws-managed-missing",
        _ERROR,
        "AWS does not let you export a managed group's rules; remove the reference to replay without it",
    )
    GROUP_AMBIGUOUS = "aws-group-ambiguous", _ERROR, "keep one file for each rule group"
    REFERENCE_KIND = (
        "aws-reference-kind",
        _ERROR,
        "stateless groups belong in StatelessRuleGroupReferences, stateful ones in StatefulRuleGroupReferences",
    )
    REFERENCE_REGION = "aws-reference-region", _ERROR, "a policy can only use rule groups of its own Region"
    GROUP_TYPE = "aws-group-type", _ERROR, "the file does not hold the rule group that the policy means"
    PRIORITY_MISSING = "aws-priority-missing", _ERROR, "give every stateful reference a Priority when RuleOrder is STRICT_ORDER"
    PRIORITY_FORBIDDEN = "aws-priority-forbidden", _ERROR, "remove Priority, or set RuleOrder to STRICT_ORDER"
    PRIORITY_TWICE = "aws-priority-twice", _ERROR, "give every entry of the list its own Priority"
    PRIORITY_RANGE = "aws-priority-range", _ERROR, "a Priority is a number from 1 to 65535"
    TOO_MANY_REFERENCES = (
        "aws-too-many-references",
        _ERROR,
        "join rule groups; a policy holds 20 stateless and 20 stateful ones",
    )
    CAPACITY_SUM = "aws-capacity-sum", _ERROR, "a policy's stateless groups may reserve a capacity of 30,000 in all"
    REFERENCE_TWICE = "aws-reference-twice", _ERROR, "refer to each rule group once"
    OVERRIDE_OWN = (
        "aws-override-own",
        _ERROR,
        "Override exists for managed groups only; change the actions in the group instead",
    )
    ORDER_MISMATCH = (
        "aws-order-mismatch",
        _ERROR,
        "a group's RuleOrder must equal the policy's; it is fixed when the group is created",
    )
    DEEP_INSPECTION = (
        "aws-deep-inspection",
        _WARNING,
        "this setting lets AWS use traffic for threat research; it changes no verdict",
    )
    # The policy's own settings.
    STANDARD_ACTION = (
        "aws-standard-action",
        _ERROR,
        "name exactly one of aws:pass, aws:drop, aws:forward_to_sfe beside custom actions",
    )
    CUSTOM_UNDEFINED = (
        "aws-custom-undefined",
        _ERROR,
        "define the custom action in the same scope: the policy, or the same rule group",
    )
    DEFAULT_NOT_STRICT = "aws-default-not-strict", _ERROR, "StatefulDefaultActions need RuleOrder STRICT_ORDER"
    DEFAULT_FAMILIES = (
        "aws-default-families",
        _ERROR,
        "use established actions or application-layer ones, not both; strict ones may stand beside either",
    )
    DEFAULT_DROPS = "aws-default-drops", _ERROR, "name at most one drop action in StatefulDefaultActions"
    IDLE_TIMEOUT = "aws-idle-timeout", _ERROR, "TcpIdleTimeoutSeconds is a number from 60 to 6000"
    TLS_INSPECTION = (
        "aws-tls-inspection",
        _WARNING,
        "a capture holds the encrypted traffic; rules see what is visible without decryption",
    )
    SESSION_HOLDING = "aws-session-holding", _WARNING, "packets are judged one by one as they come; nothing is held back"
    HOLDING_WITHOUT_TLS = (
        "aws-holding-without-tls",
        _ERROR,
        "EnableTLSSessionHolding needs TLSInspectionConfigurationArn, and no application-layer default",
    )
    RESOLVED_IP = "aws-resolved-ip", _ERROR, "remove Route53ResolvedIPValidation from a copy of the file to replay without it"
    POLICY_VARIABLE = "aws-policy-variable", _ERROR, "a policy can define HOME_NET only"
    CUSTOM_NAME = "aws-custom-name", _ERROR, "a custom action's name has 1 to 128 letters and digits"
    CUSTOM_DEFINITION = (
        "aws-custom-definition",
        _ERROR,
        "a custom action has one PublishMetricAction with exactly one dimension",
    )
    CUSTOM_TWICE = "aws-custom-twice", _ERROR, "give every custom action its own name"
    HOME_NET_UNKNOWN = (
        "aws-home-net-unknown",
        _WARNING,
        "give the VPC's CIDR (`--home-net`, in Python `home_net`), or set HOME_NET in the policy's PolicyVariables",
    )
    BAD_ADDRESS = "aws-bad-address", _ERROR, "write an address or a CIDR such as 10.0.0.0/8 or 2001:db8::/48"
    # Stateless rule groups.
    STATELESS_EXTRA = "aws-stateless-extra", _ERROR, "a STATELESS group has neither RuleVariables nor StatefulRuleOptions"
    CAPACITY = "aws-capacity", _ERROR, "a rule group's capacity is at most 30,000"
    PORT_RANGE = "aws-port-range", _ERROR, "ports lie between 0 and 65535, FromPort not above ToPort"
    PROTOCOL = "aws-protocol", _ERROR, "a protocol is an IANA number from 0 to 255"
    FLAGS = "aws-flags", _ERROR, "Flags must be among Masks"
    PORTS_WITHOUT_PROTOCOL = (
        "aws-ports-without-protocol",
        _WARNING,
        "list Protocols 6 and 17 alone, so that the rule says what it means",
    )
    FLAGS_WITHOUT_TCP = "aws-flags-without-tcp", _WARNING, "list Protocol 6 alone, so that the rule says what it means"
    # Stateful rule groups.
    SOURCE_BODIES = "aws-source-bodies", _ERROR, "RulesSource holds exactly one body that fits the group's Type"
    VARIABLE_NAME = "aws-variable-name", _ERROR, "a name is a letter and up to 31 letters, digits and underscores"
    VARIABLE_UNDECLARED = (
        "aws-variable-undeclared",
        _ERROR,
        "declare it in the group's RuleVariables; only HOME_NET and EXTERNAL_NET come from outside",
    )
    VARIABLE_DEFINITION = (
        "aws-variable-definition",
        _ERROR,
        "an IP set lists addresses and CIDRs, a port set ports such as 80 and ranges such as 8080:8090",
    )
    REFERENCE_UNDECLARED = "aws-reference-undeclared", _ERROR, "declare it in the group's ReferenceSets.IPSetReferences"
    REFERENCE_CONTENTS = "aws-reference-contents", _ERROR, ""
    REFERENCE_COUNT = "aws-reference-count", _ERROR, "a group has at most 5 IP set references"
    REFERENCE_ENTRIES = "aws-reference-entries", _ERROR, "an IP set reference has at most 1,000 entries"
    CONTEXT_SETS = (
        "aws-context-sets",
        _ERROR,
        "a context set's addresses are known to AWS only; declare an IP set with the addresses instead",
    )
    RULES_SIZE = "aws-rules-size", _ERROR, "RulesString is at most 2,000,000 bytes"
    RULE_LENGTH = "aws-rule-length", _ERROR, "a rule, variables expanded, is at most 8,192 characters"
    SID_MISSING = "aws-sid-missing", _ERROR, "every rule needs a sid, unique in its group"
    SID_TWICE = "aws-sid-twice", _ERROR, "give every rule of a group its own sid"
    GID = "aws-gid", _ERROR, "remove gid: the service sets its own"
    STRICT_PRIORITY = "aws-strict-priority", _ERROR, "under STRICT_ORDER rules stand in the order they are written; remove it"
    REJECT_PROTOCOL = (
        "aws-reject-protocol",
        _ERROR,
        "the service rejects tcp, http, tls, smb, ssh, smtp and dcerpc only; use drop",
    )
    KEYWORD = "aws-keyword", _ERROR, "the service refuses this keyword in a rule group"
    PCRE = "aws-pcre", _ERROR, "the service accepts pcre only beside content, tls.sni, http.host, dns.query or http.uri"
    HEADER = "aws-header", _ERROR, "write it as in a rule: ANY, a CIDR, a port, $NAME, @NAME, or a list in brackets"
    DOMAIN_TARGET = (
        "aws-domain-target",
        _ERROR,
        "write a name, or .name for the name and everything below it; no scheme, no `*`, each once",
    )
    DOMAIN_UNSUPPORTED = (
        "aws-domain-unsupported",
        _ERROR,
        "content inspection (TLS SNI, HTTP Host) is not supported yet; replay without this group",
    )

    def __init__(self, label: str, severity: Severity, hint: str) -> None:
        self.label = label
        self.severity = severity
        self.hint = hint

    def diagnostic(self, span: Span, message: str, hint: str = "") -> Diagnostic:
        """This finding at a place; `hint` replaces the general remedy."""
        return Diagnostic(self.severity, self.label, message, span, hint or self.hint)
