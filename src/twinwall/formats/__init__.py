"""What vendors' tools print → `policy.model.Policy`; one package for each vendor.

- `aws`: AWS Network Firewall (`describe-firewall-policy`, `describe-rule-group`).
- `json`: JSON with positions, which the vendors' readers share.
"""
