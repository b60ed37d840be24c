"""The command line.  `main` knows the commands and imports one when it is called; `exit_codes` is how all of them end.

Commands: `replay` (with `outputs`, `progress`, `interrupt`, and `explain_packet` for one packet of a capture), `explain` (with
`explanation`, which prints stories), `check`, `completion`.  `policy_options` reads policies for all; `manual` prints
docs/command-line.md.
"""
