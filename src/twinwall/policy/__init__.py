"""The policy as values: nothing here reads a file or a packet.

- `model`: the policy, its stages, its rules and the settings of the tracker.
- `sets`: exact sets of addresses and ports.
- `diagnostic`: a mistake in the user's files, with its place; `PolicyError` carries all of them.
- `codes`: the registry of what can be wrong.

The YAML file and the rule language are read by `twinwall.rules`.
"""
