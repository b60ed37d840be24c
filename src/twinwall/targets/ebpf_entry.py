"""The entry of the XDP program, in LLVM's language: what happens around the packet path's judgement of one frame.

    judge ─► count ─► stamp ─► a successor? tail call it ─► the last: drop if every stamp says so

The program runs in two roles.  Alone, it judges, stamps and decides; what it drops needs no stamp.  While one policy replaces
another, the old program calls the new one, which finds the old one's stamp, adds its own and decides for both
(docs/design/enforcement.md).

Maps, by the symbols that stand for them:

    tw_table      the policy's words: a frozen array of one value, read by address
    tw_records    one record (and room for the outcome) for each CPU
    tw_counters   packets and bytes for each CPU, at C_*, at the reason's number, or, where a rule decided, at C_RULES + rule
    tw_control    CONTROL_*: 64-bit words that userspace writes while the program runs, read by address
    tw_successor  a program array of one place

The stamp is four bytes of packet metadata: two bits for each slot on top (`render.marks`), and below them a number that no
other interface and no other network namespace has (CONTROL_SEAL + interface index).  The kernel does not promise to clear the
metadata of a packet that goes on to another interface; without the seal, an earlier interface's stamp could count there.
"""

from __future__ import annotations

from twinwall.path.table_layout import ACTION_DROP

SECTION = "xdp"
TABLE_SYMBOL, RECORDS_SYMBOL = "tw_table", "tw_records"
COUNTERS_SYMBOL, CONTROL_SYMBOL, SUCCESSOR_SYMBOL = "tw_counters", "tw_control", "tw_successor"
RECORD_VALUE_BYTES = 256  # the decoded record, then the outcome

# Counters: packets and bytes, 64 bits each.
COUNTER_BYTES = 16
C_UNSTAMPED = 127  # dropped because the driver had no room for the stamp
C_RULES = 128  # the first rule's; below stand the reasons, by number

# Words of the control map.
CONTROL_SUCCESSOR = 0  # 1: the program in tw_successor is called after stamping
CONTROL_SHIFT = 1  # where the slot's two bits stand in the stamp
CONTROL_SEAL = 2
CONTROL_LAYOUT = 3  # LAYOUT
CONTROL_GENERATION = 4
CONTROL_DIGEST = 5  # 4 words: which policy this is; only userspace reads it
CONTROL_INTERFACES = 16  # INTERFACE_PLACES words: interface index:32 number:8 (at bit 32); 0: free
INTERFACE_PLACES = 1024  # an interface stands at its index modulo this, or in one of the next INTERFACE_PROBES - 1 places
INTERFACE_PROBES = 4
CONTROL_NAMES = CONTROL_INTERFACES + INTERFACE_PLACES + INTERFACE_PROBES - 1  # the policy's interface names, by number:
NAME_WORDS = 2  # so many words each, which only userspace reads
NAMES = 256
CONTROL_WORDS = CONTROL_NAMES + NAME_WORDS * NAMES

LAYOUT = 2  # of counters and control: another version's program is read only if this is equal

# The stamp.
SEAL_MASK = 0x0FFFFFFF
SLOT_BITS = 0xF0000000
NOT_DROP = 0x50000000  # the low bit of each slot: set by PASS (1) and FORWARD (3), clear in NONE (0) and DROP (2)

JUDGE_ARITY = 6

_MAP_LOOKUP, _TAIL_CALL, _ADJUST_META, _FRAME_LENGTH = 1, 12, 54, 188  # helpers, <linux/bpf.h>
_DATA, _DATA_END, _DATA_META, _INGRESS = 0, 4, 8, 12  # struct xdp_md
_XDP_ABORTED, _XDP_DROP, _XDP_PASS = 0, 1, 2

_COUNT = f"""
define internal void @count(i32 %index, i64 %bytes) alwaysinline nounwind {{
  %key = alloca i32
  store i32 %index, ptr %key
  %counter = call ptr inttoptr (i64 {_MAP_LOOKUP} to ptr)(ptr @tw_counters, ptr %key)
  %missing = icmp eq ptr %counter, null
  br i1 %missing, label %done, label %present
present:
  %packets = load i64, ptr %counter
  %packets1 = add i64 %packets, 1
  store i64 %packets1, ptr %counter
  %sum_at = getelementptr i8, ptr %counter, i64 8
  %sum = load i64, ptr %sum_at
  %sum1 = add i64 %sum, %bytes
  store i64 %sum1, ptr %sum_at
  br label %done
done:
  ret void
}}
"""

_FIELD = """
define internal i64 @field(ptr %context, i64 %offset) alwaysinline nounwind {
  %at = getelementptr i8, ptr %context, i64 %offset
  %value = load i32, ptr %at
  %wide = zext i32 %value to i64
  ret i64 %wide
}
define internal i64 @control(i64 %word) alwaysinline nounwind {
  %at = getelementptr i64, ptr @tw_control, i64 %word
  %value = load i64, ptr %at
  ret i64 %value
}
"""


def _interface() -> str:
    """The policy's number for an interface index: a few places of the control map are looked at."""
    lines = [
        "define internal i64 @interface(i64 %index) alwaysinline nounwind {",
        "entry:",
        f"  %first = and i64 %index, {INTERFACE_PLACES - 1}",
        "  br label %probe0",
    ]
    for probe in range(INTERFACE_PROBES):
        follow = f"probe{probe + 1}" if probe + 1 < INTERFACE_PROBES else "unknown"
        lines += [
            f"probe{probe}:",
            f"  %place{probe} = add i64 %first, {CONTROL_INTERFACES + probe}",
            f"  %word{probe} = call i64 @control(i64 %place{probe})",
            f"  %index{probe} = and i64 %word{probe}, 4294967295",
            f"  %same{probe} = icmp eq i64 %index{probe}, %index",
            f"  br i1 %same{probe}, label %found{probe}, label %{follow}",
            f"found{probe}:",
            f"  %number{probe} = lshr i64 %word{probe}, 32",
            f"  %byte{probe} = and i64 %number{probe}, 255",
            f"  ret i64 %byte{probe}",
        ]
    return "\n".join([*lines, "unknown:", "  ret i64 0", "}", ""])


_PROGRAM = f"""
define i32 @twinwall_program(ptr %context) section "{SECTION}" {{
entry:
  %result = alloca i64
  %error = alloca ptr
  %key = alloca i32
  store i32 0, ptr %key
  %record = call ptr inttoptr (i64 {_MAP_LOOKUP} to ptr)(ptr @tw_records, ptr %key)
  %missing = icmp eq ptr %record, null
  br i1 %missing, label %aborted, label %present
aborted:
  ret i32 {_XDP_ABORTED}
present:
  %length = call i64 inttoptr (i64 {_FRAME_LENGTH} to ptr)(ptr %context)
  %index = call i64 @field(ptr %context, i64 {_INGRESS})
  %interface = call i64 @interface(i64 %index)
  %data = call i64 @field(ptr %context, i64 {_DATA})
  %end = call i64 @field(ptr %context, i64 {_DATA_END})
  %table = ptrtoint ptr @tw_table to i64
  %own = ptrtoint ptr %record to i64
  %status = call i32 @SYMBOL(ptr %result, ptr %error, i64 %data, i64 %end, i64 %length, i64 %interface, i64 %table, i64 %own)
  %judged = load i64, ptr %result
  %reason_up = lshr i64 %judged, 8
  %reason = and i64 %reason_up, 127
  %reason32 = trunc i64 %reason to i32
  %rule = lshr i64 %judged, 32
  %none = icmp eq i64 %rule, 4294967295
  %rule32 = trunc i64 %rule to i32
  %rule_at = add i32 %rule32, {C_RULES}
  %counted = select i1 %none, i32 %reason32, i32 %rule_at
  call void @count(i32 %counted, i64 %length)
  %shift = call i64 @control(i64 {CONTROL_SHIFT})
  %distance = and i64 %shift, 31
  %action = and i64 %judged, 3
  %said = add i64 %action, 1
  %mine = shl i64 %said, %distance
  %base = call i64 @control(i64 {CONTROL_SEAL})
  %sealed = add i64 %base, %index
  %seal = and i64 %sealed, {SEAL_MASK}
  %meta = call i64 @field(ptr %context, i64 {_DATA_META})
  %start = call i64 @field(ptr %context, i64 {_DATA})
  %meta_end = add i64 %meta, 4
  %without = icmp ugt i64 %meta_end, %start
  br i1 %without, label %room, label %look
look:
  %there = inttoptr i64 %meta to ptr
  %old32 = load i32, ptr %there
  %old = zext i32 %old32 to i64
  %theirs = and i64 %old, {SEAL_MASK}
  %known = icmp eq i64 %theirs, %seal
  br i1 %known, label %write_again, label %room
write_again:
  %both = or i64 %old, %mine
  %both32 = trunc i64 %both to i32
  store i32 %both32, ptr %there
  br label %stamped
room:
  %followed = call i64 @control(i64 {CONTROL_SUCCESSOR})
  %speaks = icmp eq i64 %followed, 0
  %drops = icmp eq i64 %action, {ACTION_DROP}
  %final = and i1 %speaks, %drops
  br i1 %final, label %dropped_alone, label %make_room
dropped_alone:
  ret i32 {_XDP_DROP}
make_room:
  %refused = call i64 inttoptr (i64 {_ADJUST_META} to ptr)(ptr %context, i64 -4)
  %failed = icmp ne i64 %refused, 0
  br i1 %failed, label %unstamped, label %write
write:
  %meta1 = call i64 @field(ptr %context, i64 {_DATA_META})
  %start1 = call i64 @field(ptr %context, i64 {_DATA})
  %meta1_end = add i64 %meta1, 4
  %without1 = icmp ugt i64 %meta1_end, %start1
  br i1 %without1, label %unstamped, label %fits
fits:
  %alone = or i64 %seal, %mine
  %alone32 = trunc i64 %alone to i32
  %here = inttoptr i64 %meta1 to ptr
  store i32 %alone32, ptr %here
  br label %stamped
unstamped:
  call void @count(i32 {C_UNSTAMPED}, i64 %length)
  ret i32 {_XDP_DROP}
stamped:
  %stamps = phi i64 [ %both, %write_again ], [ %alone, %fits ]
  %successor = call i64 @control(i64 {CONTROL_SUCCESSOR})
  %last = icmp eq i64 %successor, 0
  br i1 %last, label %decide, label %succeed
succeed:
  %returned = call i64 inttoptr (i64 {_TAIL_CALL} to ptr)(ptr %context, ptr @tw_successor, i64 0)
  br label %decide
decide:
  %kept = and i64 %stamps, {NOT_DROP}
  %dropped = icmp eq i64 %kept, 0
  %answer = select i1 %dropped, i32 {_XDP_DROP}, i32 {_XDP_PASS}
  ret i32 %answer
}}
"""


def entry(symbol: str) -> str:
    """The module with the entry; `symbol` is the compiled `judge(packet, end, wire_length, interface, table, record)`."""
    maps = (TABLE_SYMBOL, RECORDS_SYMBOL, COUNTERS_SYMBOL, CONTROL_SYMBOL, SUCCESSOR_SYMBOL)
    declared = "".join(f"@{name} = external global i8\n" for name in maps)
    judge = f"declare i32 @{symbol}(ptr, ptr{', i64' * JUDGE_ARITY})\n"
    return declared + judge + _FIELD + _COUNT + _interface() + _PROGRAM.replace("@SYMBOL", f"@{symbol}")
