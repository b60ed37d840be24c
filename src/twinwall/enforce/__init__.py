"""A policy in the Linux kernel, changed safely: plan, apply, confirm, roll back, watch, guard, boot.

- `source`: the policy's own text, kept, so that it can be applied again when its files have changed or gone.
- `state`, `disk`, `journal`, `lock`: what is known between two commands, and that only one of them acts at a time.
- `marker`: which policy the kernel holds, read from the kernel itself.
- `blueprint`, `transaction`, `kernel`: what is to be, the steps to it, and who does them.
- `change`: one change from the lock to the journal; `recovery`: what a killed one left behind.
- `watchdog`: restores what was in force before, unless somebody confirms.
- `plan`: what a change would do, in rules and kernel objects.
- `boot`, `guard`: at start, and as long as the machine runs.
- `rulebook`: from the numbers in marks back to rules.
- `status`: what is in force, what it counted (`status_counts`), what is wrong (`status_problems`); `metrics` of it.
- `trace`: packets on their way through the kernel, told in `explain`'s words (`trace_stages`, `trace_story`).
- `log`: what rules report and which connections end, as EVE records.
- `inspector`, `inspection`: decisions about packets that `inspect` rules hand over, and the processes that make them.
- `ssh`: the SSH connection that a command was typed on.
"""
