"""The rule language and the policy file: text in, `twinwall.policy` values or diagnostics out.

Text and its places: `located` (text that knows its file, line and column), `lexer` (lines, header fields, options).
Sets: `expression` (the list grammar), `addresses`, `ports`, `variables`, `protocols`.
Keywords: `keyword` (the record), `keywords/` (the records), `registry`, `numbers`, `classtypes`, `unsupported`.
Rules: `draft` (a rule in the making), `parser` (`parse_rules`), `printer` (`print_rule`), `order` (evaluation order).
Policies: `policy_file` (`read_policy_text`, `load_policy`), `document` (YAML with places), `sections`, `lint`.
"""
