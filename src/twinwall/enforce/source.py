"""A policy's source: every text it was read from, so that it can be read again without the user's files.

What boots, rolls back or restores a policy must not depend on files that somebody has edited since.  The digest names the
contents: the same texts and settings in another folder are the same policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from twinwall.formats.load import Reading
from twinwall.policy.codes import Code
from twinwall.policy.diagnostic import Diagnostic, PolicyError, Severity, Span
from twinwall.policy.model import Attach, InspectionFailure, Mode, Policy

if TYPE_CHECKING:
    from twinwall.formats.aws.options import AwsOptions

DIGEST_LENGTH = 32  # hexadecimal digits: enough that no two policies of one machine meet


class Kind(StrEnum):
    """How the texts are to be read."""

    POLICY = "policy"
    RULES = "rules"
    AWS = "aws"


@dataclass(frozen=True)
class Source:
    """The texts: `files` by name, in the order in which they are read; `patterns` what each `files:` pattern found.

    `attach` replaces the policy's own section: an AWS export has none.
    """

    kind: Kind
    files: tuple[tuple[str, str], ...]
    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    home_net: tuple[str, ...] = ()
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attach: Attach | None = None

    @property
    def name(self) -> str:
        """What people call it: its first file."""
        return self.files[0][0]

    @property
    def digest(self) -> str:
        """The name of its contents."""
        numbers = {name: number for number, (name, _) in enumerate(self.files)}
        found = {pattern: [numbers[name] for name in names if name in numbers] for pattern, names in self.patterns.items()}
        content = {**self._settings(), "texts": [text for _, text in self.files], "patterns": found}
        return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:DIGEST_LENGTH]

    def _settings(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "home_net": self.home_net,
            "references": dict(self.references),
            "attach": _attach_record(self.attach),
        }

    def encode(self) -> bytes:
        """The file that keeps it."""
        return orjson.dumps({**self._settings(), "files": self.files, "patterns": dict(self.patterns)})

    @classmethod
    def decode(cls, data: bytes) -> Source:
        """Read such a file.  Raises `ValueError` (or KeyError, TypeError) for anything else."""
        record = orjson.loads(data)
        return cls(
            kind=Kind(record["kind"]),
            files=tuple((name, text) for name, text in record["files"]),
            patterns={pattern: tuple(names) for pattern, names in record["patterns"].items()},
            home_net=tuple(record["home_net"]),
            references={name: tuple(cidrs) for name, cidrs in record["references"].items()},
            attach=_attach(record["attach"]),
        )

    def read(self) -> Reading:
        """The policy, or everything that is wrong with it."""
        reading = self._read_aws() if self.kind is Kind.AWS else self._read_files()
        if reading.policy is None or self.attach is None:
            return reading
        return replace(reading, policy=replace(reading.policy, attach=self.attach))

    def policy(self) -> Policy:
        """The policy.  Raises `PolicyError`."""
        reading = self.read()
        if reading.policy is None:
            raise PolicyError(reading.diagnostics)
        return reading.policy

    def _read_files(self) -> Reading:
        from twinwall.rules.policy_file import read_policy_text, read_rules_text  # noqa: PLC0415 - one format a run

        texts = dict(self.files)
        if self.kind is Kind.RULES:
            return Reading(*read_rules_text(texts[self.name], self.name))
        return Reading(*read_policy_text(texts[self.name], self.name, texts.__getitem__, lambda each: self.patterns[each]))

    def _read_aws(self) -> Reading:
        from twinwall.formats.aws.options import AwsOptions  # noqa: PLC0415 - one format a run
        from twinwall.formats.aws.reader import examine_aws  # noqa: PLC0415

        reading = examine_aws(self.files, AwsOptions(home_net=self.home_net, references=self.references))
        return Reading(reading.policy, reading.diagnostics, reading.report)


@dataclass(frozen=True)
class Gathered:
    """A source together with what reading it the first time gave."""

    source: Source | None  # None: some file could not be read at all
    reading: Reading


Attaching = Callable[[Attach | None], Attach | None]  # the policy's own section → what is to count


def gather(path: str, options: AwsOptions, attaching: Attaching = lambda own: own) -> Gathered:
    """Read a policy and keep what was read.  Every mistake is in the reading's diagnostics."""
    place = Path(path)
    try:
        export = place.is_dir() or place.suffix == ".json"
        gathered = _gather_aws([place], options) if export else _gather_files(path)
        _refuse_nameless(gathered)
    except PolicyError as error:
        return Gathered(None, Reading(None, error.diagnostics))
    return _attached(gathered, attaching)


def _refuse_nameless(gathered: Gathered) -> None:
    """Raise `PolicyError` for a file whose name is not text: nothing that is kept of the policy could name it."""
    for name, _ in gathered.source.files if gathered.source is not None else ():
        try:
            name.encode()
        except UnicodeEncodeError:
            shown = name.encode(errors="replace").decode()
            message, hint = "the file's name is not text in UTF-8", "rename it"
            raise PolicyError((Diagnostic(Severity.ERROR, Code.FILE_UNREADABLE, message, Span(shown, 1, 1), hint),)) from None


def _attached(gathered: Gathered, attaching: Attaching) -> Gathered:
    """The same, enforced where `attaching` says."""
    policy = gathered.reading.policy
    if policy is None or gathered.source is None:
        return gathered
    attach = attaching(policy.attach)
    if attach == policy.attach:
        return gathered
    return Gathered(replace(gathered.source, attach=attach), replace(gathered.reading, policy=replace(policy, attach=attach)))


def _gather_aws(places: Sequence[Path], options: AwsOptions) -> Gathered:
    from twinwall.formats.aws.load import read_export_files  # noqa: PLC0415 - one format a run

    files, unreadable = read_export_files(places)
    if unreadable:
        raise PolicyError(tuple(unreadable))
    source = Source(Kind.AWS, tuple(files), home_net=options.home_net, references=options.references)
    return Gathered(source, source.read())


def _gather_files(path: str) -> Gathered:
    from twinwall.rules.disk import Folder  # noqa: PLC0415 - one format a run
    from twinwall.rules.policy_file import read_policy_text, read_rules_text, unreadable  # noqa: PLC0415

    folder, files, patterns = Folder(path), {}, {}

    def open_file(name: str) -> str:
        files[name] = folder.open_file(name)
        return files[name]

    def find_files(pattern: str) -> Sequence[str]:
        patterns[pattern] = tuple(folder.find_files(pattern))
        return patterns[pattern]

    try:
        text = open_file(path)
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError((unreadable(path, error),)) from None
    except ValueError as error:
        raise PolicyError((Diagnostic(Severity.ERROR, Code.FILE_TOO_LARGE, str(error), Span(path, 1, 1)),)) from None
    rules = path.endswith(".rules")
    reading = Reading(*(read_rules_text(text, path) if rules else read_policy_text(text, path, open_file, find_files)))
    source = Source(Kind.RULES if rules else Kind.POLICY, tuple(files.items()), patterns)
    return Gathered(source, reading)


def _attach_record(attach: Attach | None) -> dict[str, Any] | None:
    if attach is None:
        return None
    return {name: getattr(attach, name) for name in Attach.__dataclass_fields__}


def _attach(record: dict[str, Any] | None) -> Attach | None:
    if record is None:
        return None
    first, last = record["queues"]
    return Attach(
        mode=Mode(record["mode"]),
        inside=tuple(record["inside"]),
        outside=tuple(record["outside"]),
        on_inspection_failure=InspectionFailure(record["on_inspection_failure"]),
        log_group=record["log_group"],
        queues=(first, last),
    )
