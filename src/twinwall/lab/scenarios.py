"""The rows of the lab's table: what people do all day, and what attackers send.

A *wanted* row is a program that should reach its goal; the program itself says whether it did.  An *attack* row is packets that
should not get in; the taps on both sides of the firewall say how many did.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

TCP, UDP = 6, 17
SYN, ACK, SYN_ACK, RST_ACK = 0x02, 0x10, 0x12, 0x14


class Kind(StrEnum):
    """What a row is about."""

    WANTED = "wanted"
    ATTACK = "attack"


@dataclass(frozen=True)
class Signature:
    """The packets of an attack among those that come from outside; None: any."""

    source: str  # a name of `addresses.People`
    protocol: int
    flags: int | None = None  # all TCP flags
    fragments: bool = False


@dataclass(frozen=True)
class Scenario:
    """One row.  `{names}` in commands are those of `addresses.People`.

    `says` is a regular expression that the program's output must match for a wanted row; without one its exit code decides.
    `during` is a program on the inside that must be talking while the attack goes on.
    """

    name: str
    tool: str  # the program, and the options that matter
    title: str
    kind: Kind
    place: str  # inside or outside
    command: tuple[str, ...]
    says: str = ""
    signature: Signature | None = None
    during: tuple[str, ...] = ()
    server: str = ""  # the program that must listen

    @property
    def ipv6(self) -> bool:
        """Whether it talks IPv6."""
        return any("{web6}" in word for word in self.command)

    @property
    def program(self) -> str:
        """The program that must be installed."""
        return self.command[0]


def _wanted(name: str, tool: str, title: str, place: str, command: str, *, server: str = "", says: str = "") -> Scenario:
    return Scenario(name, tool, title, Kind.WANTED, place, tuple(command.split()), says, server=server)


def _attack(
    name: str, tool: str, title: str, command: str, signature: Signature, *, during: str = "", server: str = ""
) -> Scenario:
    words = tuple(command.split())
    return Scenario(name, tool, title, Kind.ATTACK, "outside", words, "", signature, tuple(during.split()), server)


CURL = "curl -sS -o /dev/null --max-time"
DIG = "dig +tries=1 +time=1"
SSH = "ssh {shell_options} -b {friend} {user}@{host} true"
NMAP = "nmap -n -Pn --max-retries 0 --max-rtt-timeout 200ms -e eth0 -S {attacker}"
HPING = "hping3 -n -q -i u2000 -c 5"
TALK = f"{CURL} 8 --local-port 40001 http://{{web}}/large"

SCENARIOS = (
    _wanted("web", "curl", "a page from a web server", "inside", f"{CURL} 2 http://{{web}}/", server="nginx"),
    _wanted("web6", "curl", "the same over IPv6", "inside", f"{CURL} 2 http://[{{web6}}]/", server="nginx"),
    _wanted("names", "dig", "a name", "inside", f"{DIG} @{{names}} www.lab.example", server="dnsmasq"),
    _wanted(
        "large-answer",
        "dig",
        "an answer too large for one packet",
        "inside",
        f"{DIG} +ignore +bufsize=4096 @{{names}} large.lab.example TXT",
        server="dnsmasq",
    ),
    _wanted(
        "no-server",
        "dig",
        "being told that no server is there (ICMP error)",
        "inside",
        f"{DIG} @{{nobody}} www.lab.example",
        says="connection refused",
    ),
    _wanted("ping", "ping", "from inside", "inside", "ping -q -c 2 -i 0.05 -W 1 {web}"),
    _wanted("shell", "ssh", "to the protected host, from outside", "outside", SSH, server="sshd"),
    _attack(
        "syn-scan",
        "nmap -sS",
        "connections to ports that nobody offers",
        f"{NMAP} -sS -p 21,23,25,80,443,3389 {{host}}",
        Signature("attacker", TCP, SYN),
    ),
    _attack(
        "ack-scan",
        "nmap -sA -g 443",
        "a scan that looks like answers",
        f"{NMAP} -sA -g 443 -p 1433,3306,3389,5432,6379,8080 {{host}}",
        Signature("attacker", TCP, ACK),
    ),
    _attack(
        "spoofed-syn-ack",
        "hping3 -SA",
        "TCP answers that nobody asked for",
        f"{HPING} -S -A -a {{web}} -s 443 -k -p 50000 {{host}}",
        Signature("web", TCP, SYN_ACK),
    ),
    _attack(
        "spoofed-answer",
        "hping3 --udp -s 53",
        "DNS answers that nobody asked for",
        f"{HPING} --udp -a {{names}} -s 53 -k -p 40000 -d 40 {{host}}",
        Signature("names", UDP),
    ),
    _attack(
        "stray-fragments",
        "hping3 -g 512",
        "pieces whose beginning never comes",
        f"{HPING} --udp -a {{attacker}} -g 512 -d 64 {{host}}",
        Signature("attacker", UDP, fragments=True),
    ),
    _attack(
        "tiny-fragments",
        "nmap -f",
        "SYNs cut into pieces of 8 bytes",
        f"{NMAP} -f -sS -p 3306,3389,8080 {{host}}",
        Signature("attacker", TCP, fragments=True),
    ),
    _attack(
        "blind-reset",
        "hping3 -RA",
        "resets with a guessed number, into a download",
        f"{HPING} -R -A -M 305419896 -a {{web}} -s 80 -k -p 40001 {{host}}",
        Signature("web", TCP, RST_ACK),
        during=TALK,
        server="nginx",
    ),
    _attack(
        "flood",
        "hping3 -S",
        "1,000 half-open connections to sshd",
        "hping3 -n -q -i u200 -c 1000 -S -a {ghost} -p 22 {host}",
        Signature("ghost", TCP, SYN),
        server="sshd",
    ),
)
