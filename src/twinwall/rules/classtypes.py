"""The classification names that rules commonly use, each with a description and a priority (1 is the most urgent).

Names and priorities are those that published rule sets rely on; the descriptions are twinwall's own words.
"""

from __future__ import annotations

from typing import NamedTuple


class Classtype(NamedTuple):
    """What an alert says about its class, and the priority a rule of the class gets."""

    description: str
    priority: int


CLASSTYPES = {
    "not-suspicious": Classtype("Nothing suspicious", 3),
    "unknown": Classtype("Unclassified traffic", 3),
    "bad-unknown": Classtype("Possibly harmful traffic", 2),
    "attempted-recon": Classtype("Attempt to gather information", 2),
    "successful-recon-limited": Classtype("Information gathered", 2),
    "successful-recon-largescale": Classtype("Information gathered on a large scale", 2),
    "attempted-dos": Classtype("Attempt to deny service", 2),
    "successful-dos": Classtype("Service denied", 2),
    "attempted-user": Classtype("Attempt to gain a user's rights", 1),
    "unsuccessful-user": Classtype("Failed attempt to gain a user's rights", 1),
    "successful-user": Classtype("A user's rights gained", 1),
    "attempted-admin": Classtype("Attempt to gain an administrator's rights", 1),
    "successful-admin": Classtype("An administrator's rights gained", 1),
    "rpc-portmap-decode": Classtype("RPC query", 2),
    "shellcode-detect": Classtype("Executable code in traffic", 1),
    "string-detect": Classtype("Suspicious text", 3),
    "suspicious-filename-detect": Classtype("Suspicious file name", 2),
    "suspicious-login": Classtype("Login attempt with a suspicious name", 2),
    "system-call-detect": Classtype("System call in traffic", 2),
    "tcp-connection": Classtype("TCP connection", 4),
    "trojan-activity": Classtype("Traffic of a trojan", 1),
    "unusual-client-port-connection": Classtype("Client on an unusual port", 2),
    "network-scan": Classtype("Network scan", 3),
    "denial-of-service": Classtype("Attack that denies service", 2),
    "non-standard-protocol": Classtype("Protocol outside its standard", 2),
    "protocol-command-decode": Classtype("Command of a protocol", 3),
    "web-application-activity": Classtype("Request to a web application with known weaknesses", 2),
    "web-application-attack": Classtype("Attack on a web application", 1),
    "misc-activity": Classtype("Other activity", 3),
    "misc-attack": Classtype("Other attack", 2),
    "icmp-event": Classtype("ICMP event", 3),
    "inappropriate-content": Classtype("Inappropriate content", 1),
    "policy-violation": Classtype("Possible violation of a company's policy", 1),
    "default-login-attempt": Classtype("Login attempt with a default name and password", 2),
    "targeted-activity": Classtype("Targeted malicious activity", 1),
    "exploit-kit": Classtype("Exploit kit", 1),
    "external-ip-check": Classtype("Device asks for its public address", 2),
    "domain-c2": Classtype("Domain used for command and control", 1),
    "pup-activity": Classtype("Possibly unwanted program", 2),
    "credential-theft": Classtype("Credentials stolen", 1),
    "social-engineering": Classtype("Possible social engineering", 2),
    "coin-mining": Classtype("Mining of cryptocurrency", 2),
    "command-and-control": Classtype("Command and control of malware", 1),
}
