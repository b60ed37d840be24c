"""The lab: three network namespaces with real programs in them, and a policy between them.

| module | what |
|---|---|
| `scenarios` | the rows of the table: which program talks to whom, and what of it should arrive |
| `policies` | the bundled policies that every policy is shown beside |
| `messages` | what is asked of a world, and what comes back |
| `world` | starts a world: a process that is alone in its namespaces and takes everything with it when it ends |
| `worker` | that process: it is the firewall, and plays the scenarios |
| `places` | the inside and the outside, joined to the firewall |
| `servers` | nginx, dnsmasq and sshd |
| `tap` | what went into the firewall and what came out of it |
| `crossing` | which of the packets that went in came out |
| `twin` | what replay says about the same packets |
| `shield` | the policy, enforced |
| `reload`, `costs` | a session over a change of policy; what a packet and a connection cost |
| `table`, `page` | the results as a table, and as docs/stateful-or-stateless.md |
"""
