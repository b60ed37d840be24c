"""Stateful rule groups of AWS Network Firewall.

- `group`: one group, in whichever of its three forms, to rules.
- `variables`: `$NAME`, `@NAME`, and how HOME_NET and EXTERNAL_NET are inherited.
- `five_tuple`, `domain_list`: the two forms that are translated to rule text.
- `sheet`: a text of rules that knows where each character stands in the export.
- `checks`: what the service refuses beyond what the rule language says.
- `text`: the call of the rule parser.
"""
