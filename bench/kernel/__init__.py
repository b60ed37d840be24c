"""What enforcement costs: the kernel's own test run drives the receive path, so that no generator is the limit.

- `frames`: the frames that are sent, and the program that makes the kernel send itself millions of them;
- `rulesets`: one list of rules in the forms that are compared;
- `place`: the namespaces; `drop`, `forward`, `change`: the measurements; `page`: docs/enforcement-speed.md.
"""
