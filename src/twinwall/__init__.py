"""twinwall: a network firewall with two engines, replayed over captures and enforced in the kernel."""

__version__ = "0.1.0"
