"""AWS Network Firewall (Classic) as the AWS command line prints it → `Policy`.

- `load`: files and folders (`load_aws`); the only I/O.
- `reader`: texts → policy, diagnostics and report (`read_aws`, `examine_aws`).
- `options`: what an export does not hold, and switches for what is not documented (`AwsOptions`).
- `exports`, `references`, `arn`: which file is what, and which file an ARN means.
- `policy_body`, `actions`: the policy's settings, default actions and custom actions.
- `stateless`, `match`, `addresses`: stateless rule groups.
- `stateful`: stateful rule groups, in their three forms.
- `codes`, `findings`: every diagnostic; the notebook they are written in.
- `report`: how much of the input was understood.

Source: the API model of the service and its developer guide; see docs/aws.md.
"""
