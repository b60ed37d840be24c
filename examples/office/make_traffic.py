"""Record traffic.pcapng: half a minute at the edge of a small office, made by real programs in network namespaces.

    make traffic            (root; Debian packages: see tools/install-debian-packages)

tcpdump listens on the router's outside interface, where a firewall would stand, and the router itself filters nothing:
the capture shows what came and went, and policy.yaml says what should have.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from network import Office, office

HERE = Path(__file__).resolve().parent
NEEDED = ["ip", "tcpdump", "nginx", "curl", "dnsmasq", "dig", "ssh", "ping", "nmap", "traceroute", "ethtool", "editcap"]
LARGEST = 2_000_000  # bytes of the finished capture

NGINX = """daemon off; master_process off; user root; pid {folder}/nginx-{place}.pid; error_log {folder}/nginx-{place}.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; keepalive_timeout 5;
  server {{ {listen} root {folder}/www; }}
}}
"""
LISTEN = {
    "outside": "listen 198.51.100.7:80; listen 198.51.100.7:8081; listen [2001:db8:100::7]:80;",
    "inside": "listen 10.20.0.80:80 backlog=64; listen [2001:db8:20::80]:80;",
}
SSHD = """ListenAddress 198.51.100.22
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM yes
PermitRootLogin yes
PasswordAuthentication no
"""


def serve(place: Office, folder: Path) -> None:
    """Start the servers: web on both sides, names and a shell outside."""
    (folder / "www").mkdir()
    (folder / "www/index.html").write_text("<title>office</title><p>It works.\n")
    (folder / "www/report.txt").write_text("quarter, sum\n" * 2000)
    folder.chmod(0o755)
    log = (folder / "servers.log").open("wb")
    for where, listen in LISTEN.items():
        configuration = folder / f"nginx-{where}.conf"
        configuration.write_text(NGINX.format(folder=folder, place=where, listen=listen))
        place.start(where, "nginx", "-c", configuration, log=log)
    names = ["--address=/www.office.example/198.51.100.7", "--address=/www.office.example/2001:db8:100::7"]
    quiet = ["--keep-in-foreground", "--no-resolv", "--no-hosts", "--conf-file=/dev/null", "--pid-file=", "--user=root"]
    place.start("outside", "dnsmasq", *quiet, *names, "--listen-address=198.51.100.53", "--bind-interfaces", log=log)
    for key in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    (folder / "sshd.conf").write_text(SSHD.format(folder=folder))
    Path("/run/sshd").mkdir(exist_ok=True)
    place.start("outside", "/usr/sbin/sshd", "-D", "-f", folder / "sshd.conf", log=log)
    for where, port in [("outside", 80), ("inside", 80), ("outside", 53), ("outside", 22)]:
        place.listening(where, port)


def work(place: Office, folder: Path) -> None:
    """An ordinary morning: names, pages, a shell, pings, and one page on a port that nobody allowed."""
    for question in (["A"], ["AAAA"], ["A", "+tcp"]):
        place.run("inside", "dig", "+tries=1", "@198.51.100.53", "www.office.example", *question)
    curl = ["curl", "-s", "-o", "/dev/null", "--max-time", "10"]
    web = "http://198.51.100.7"
    place.run("inside", *curl, f"{web}/", "-o", "/dev/null", f"{web}/report.txt")
    place.run("inside", *curl, "-I", f"{web}/")
    place.run("inside", *curl, f"{web}/missing")
    place.run("inside", *curl, "http://[2001:db8:100::7]/report.txt")
    place.run("inside", *curl, "http://198.51.100.7:8081/")
    place.run("outside", *curl, "--interface", "203.0.113.9", "http://10.20.0.80/")
    place.run("outside", *curl, "http://[2001:db8:20::80]/")
    shell = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-F", "none"]
    place.run("inside", "ssh", *shell, "-i", folder / "user", "root@198.51.100.22", "echo good morning; seq 1 200")
    place.run("inside", "ping", "-q", "-c", "3", "-i", "0.2", "198.51.100.7")
    place.run("inside", "ping", "-q", "-c", "3", "-i", "0.2", "2001:db8:100::7")
    place.run("inside", "ping", "-q", "-c", "2", "-i", "0.2", "-s", "3000", "198.51.100.7")
    place.run("inside", "dig", "+tries=1", "+time=1", "@198.51.100.7", "www.office.example", fails=True)
    place.run("inside", "traceroute", "-n", "-q", "1", "-f", "2", "-m", "3", "198.51.100.7")


def attack(place: Office) -> None:
    """What the internet sends to every address: scans, a knock at the shell, spoofed and stale packets, a flood."""
    scan = ["nmap", "-n", "-Pn", "--max-retries", "1", "-S", "203.0.113.9", "-e", "eth0"]
    place.run("outside", *scan, "-sS", "--top-ports", "100", "10.20.0.10")
    place.run("outside", *scan, "-sA", "-p", "22,80,135,139,443,445,3389,8080", "10.20.0.10")
    place.run("outside", *scan, "-sS", "--scanflags", "SYNFIN", "-p", "80,443", "10.20.0.80")
    place.run("outside", "curl", "-s", "--max-time", "3", "--interface", "203.0.113.9", "http://10.20.0.10:22/", fails=True)
    place.run("outside", "traceroute", "-n", "-q", "1", "-f", "1", "-m", "2", "-s", "203.0.113.9", "10.20.0.10")
    place.run("outside", sys.executable, HERE / "raw.py", "spoof")
    place.run("inside", sys.executable, HERE / "raw.py", "stale")
    place.run("outside", sys.executable, HERE / "raw.py", "flood")
    time.sleep(1)  # the last answers


def record(place: Office, folder: Path) -> Path:
    """Capture while the programs work; a pcapng file."""
    raw = folder / "traffic.pcap"
    with (folder / "tcpdump.log").open("wb") as log:
        # -Z root: the folder belongs to root; -B: room for the flood.
        tcpdump = place.start("router", "tcpdump", "-i", "outside", "-U", "-B", "8192", "-Z", "root", "-w", raw, log=log)
        limit = time.monotonic() + 10
        while b"listening on" not in (folder / "tcpdump.log").read_bytes():
            if time.monotonic() > limit:
                raise RuntimeError("tcpdump does not start")
            time.sleep(0.05)
        work(place, folder)
        attack(place)
        place.stop(tcpdump)
    finished = folder / "traffic.pcapng"
    subprocess.run(["editcap", "-F", "pcapng", raw, finished], check=True)
    return finished


def main() -> int:
    """Exit 0: traffic.pcapng is written; 1: this machine cannot make it."""
    lacking = [name for name in NEEDED if not shutil.which(name)]
    if os.geteuid() != 0 or lacking:
        sys.stderr.write(
            f"This needs root{' and ' + ', '.join(lacking) if lacking else ''}; see tools/install-debian-packages.\n"
        )
        return 1
    with tempfile.TemporaryDirectory(prefix="twoffice") as name, office() as place:
        folder = Path(name)
        serve(place, folder)
        finished = record(place, folder)
        if finished.stat().st_size > LARGEST:
            sys.stderr.write(f"The capture has {finished.stat().st_size:,} bytes; {LARGEST:,} are allowed.\n")
            return 1
        shutil.copyfile(finished, HERE / "traffic.pcapng")
    print(f"{HERE / 'traffic.pcapng'}: {(HERE / 'traffic.pcapng').stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
