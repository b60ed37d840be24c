"""The servers of the lab: nginx and dnsmasq outside, sshd inside."""

from __future__ import annotations

import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from twinwall.lab.addresses import PEOPLE
from twinwall.lab.places import Place, Site, checked, found, has_ipv6, program

ACCOUNT = "lab"  # who logs in over ssh: another name for root, or, in a user namespace, for its owner
STRANGER = 1000  # the owner's number, seen from sshd's own user namespace
ALSO = {"sshd": ("ssh-keygen",)}  # what a server cannot be set up without
START = 10  # seconds that a server gets to listen
LARGE = 2_000_000  # bytes of the large page: 20 seconds, as nginx is told to take its time

NGINX = """daemon off; user root; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ {listen} root {folder}/www; location /large {{ limit_rate 100k; }} }}
}}
"""
SSHD = """ListenAddress {host}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
MaxStartups 2000
"""
SHELL_OPTIONS = (
    "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
    "-o", "ConnectTimeout=2", "-o", "LogLevel=ERROR", "-i",
)  # fmt: skip


@dataclass(frozen=True)
class Served:
    """What runs: for each server that does not, why; and what scenarios' commands may name."""

    folder: Path
    missing: dict[str, str]
    words: dict[str, str | tuple[str, ...]]


def serve(site: Site, folder: Path, *, privileged: bool) -> Served:
    """Start the servers that are installed, and wait until they listen."""
    missing = {}
    for name, start, place, port in (
        ("nginx", _nginx, site.outside, 80),
        ("dnsmasq", _dnsmasq, site.outside, 53),
        ("sshd", _sshd, site.inside, 22),
    ):
        lacking = next((each for each in (name, *ALSO.get(name, ())) if program(each) is None), None)
        if lacking is not None:
            missing[name] = f"{lacking} is not installed"
            continue
        log = folder / f"{name}.out"
        with log.open("wb") as stream:
            server = place.start(start(folder, privileged), stream)
        if not _listening(place, port, server):
            missing[name] = f"{name} did not start: {_last_line(log)}"
    words: dict[str, str | tuple[str, ...]] = dict(PEOPLE._asdict())
    words |= {"user": ACCOUNT, "shell_options": (*SHELL_OPTIONS, str(folder / "user"))}
    return Served(folder, missing, words)


def _listening(place: Place, port: int, server: subprocess.Popen[bytes]) -> bool:
    limit = time.monotonic() + START
    while time.monotonic() < limit and server.poll() is None:
        if re.search(rf":{port}\s", place.run("ss", "-Hltun")):
            return True
        time.sleep(0.02)
    return False


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it says nothing"


def _nginx(folder: Path, _: bool) -> list[str]:
    (folder / "www").mkdir()
    (folder / "www/index.html").write_text("<title>lab</title><p>It works.\n")
    (folder / "www/large").write_bytes(bytes(LARGE))
    listen = f"listen {PEOPLE.web}:80;" + (f" listen [{PEOPLE.web6}]:80;" if has_ipv6() else "")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, listen=listen))
    return ["nginx", "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]


def _dnsmasq(folder: Path, _: bool) -> list[str]:
    large = "".join(f"txt-record=large.lab.example,{number:x>250}\n" for number in range(9))  # an answer of 2.4 kB
    (folder / "dnsmasq.conf").write_text(
        f"no-daemon\nno-resolv\nno-hosts\npid-file=\nbind-interfaces\nlisten-address={PEOPLE.names}\nedns-packet-max=4096\n"
        f"address=/www.lab.example/{PEOPLE.web}\nlocal=/lab.example/\n{large}"
    )
    return ["dnsmasq", f"--conf-file={folder}/dnsmasq.conf"]


def _sshd(folder: Path, privileged: bool) -> list[str]:
    for key in ("host", "user"):
        checked([found("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)])
    Path("/run/sshd").mkdir(exist_ok=True)
    (folder / "sshd.conf").write_text(SSHD.format(folder=folder, host=PEOPLE.host))
    server = [found("sshd"), "-D", "-e", "-f", str(folder / "sshd.conf")]
    if privileged:
        return server
    # Root of a user namespace cannot change its user, which sshd does as root; as anybody else it does not try.
    return ["unshare", "--user", f"--map-user={STRANGER}", f"--map-group={STRANGER}", *server]


def add_account(folder: Path, *, privileged: bool) -> Path:
    """The machine's list of accounts with ours added, to be mounted over it: ssh depends on nobody's shell or password."""
    number = 0 if privileged else STRANGER
    path = folder / "passwd"
    path.write_text(f"{Path('/etc/passwd').read_text().rstrip()}\n{ACCOUNT}:x:{number}:{number}::{folder}:/bin/sh\n")
    return path
