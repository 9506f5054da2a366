"""Every code a finding can have: the one table of names, severities and what TorchServe tolerates.

Invariant: a code is never reused for something else. A row, its page in ``check/pages`` and its case in
``tests/cases/err`` come together.
"""

from dataclasses import dataclass

from wfctl.diagnostics.model import Diagnostic, Edit, Label, Severity, Span


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: a code, a name that names the fault, and how bad it is."""

    code: str
    name: str
    severity: Severity
    summary: str
    tolerated: bool = False
    """TorchServe accepts it: only a warning under ``--compat``."""
    at_run: bool = False
    """``wfctl run`` shows it too: it tells how the run differs from what the author of an archive had in mind."""


_E, _W, _N = Severity.ERROR, Severity.WARNING, Severity.NOTE

_ROWS = (
    # WF1xx: the file and its YAML
    Rule("WF101", "undecodable-text", _E, "the file is not UTF-8 text"),
    Rule("WF102", "yaml-syntax", _E, "the text is not YAML"),
    Rule(
        "WF103",
        "duplicate-key",
        _E,
        "a key stands twice in one mapping; only the last counts",
        tolerated=True,
    ),
    Rule("WF104", "several-documents", _E, "a spec is one YAML document"),
    Rule("WF105", "too-many-aliases", _E, "aliases expand beyond the budget"),
    Rule("WF106", "nested-too-deep", _E, "brackets or blocks are nested beyond the budget"),
    Rule("WF107", "file-too-large", _E, "the text is larger than the budget"),
    Rule("WF108", "too-many-values", _E, "the text holds more values than the budget"),
    Rule("WF109", "self-containing-alias", _E, "an alias contains itself"),
    Rule("WF110", "tag-not-allowed", _E, "a YAML tag asks for an object that is never built"),
    Rule("WF111", "control-character", _E, "a control character stands in the text"),
    Rule("WF112", "empty-spec", _E, "the spec holds nothing"),
    Rule("WF113", "unknown-alias", _E, "an alias names no anchor"),
    Rule("WF115", "name-read-as-other-type", _E, "YAML reads this name as a boolean, a number or a date"),
    Rule("WF116", "octal-number", _W, "a leading zero makes YAML read an octal number"),
    Rule("WF117", "sexagesimal-number", _W, "YAML reads digits with colons in base 60"),
    Rule("WF118", "underscored-number", _W, "only some YAML readers take underscores in numbers"),
    Rule("WF119", "exponent-read-as-text", _E, "YAML reads an exponent without a dot as text"),
    # WF2xx: the schema and the values
    Rule("WF201", "wrong-type", _E, "a value has the wrong type"),
    Rule("WF202", "out-of-range", _E, "a number is outside its range"),
    Rule("WF203", "unknown-key", _E, "no such key here; it would be ignored", tolerated=True),
    Rule("WF204", "missing-dag", _E, "the spec has no dag"),
    Rule("WF205", "empty-dag", _E, "the dag names no node"),
    Rule("WF206", "unknown-top-level-key", _W, "only models, dag and wfctl are read", tolerated=True),
    Rule("WF207", "model-without-url", _E, "a model does not say where its archive is"),
    Rule("WF208", "min-over-max-workers", _E, "fewer workers allowed at most than at least", tolerated=True),
    Rule("WF209", "not-supported-yet", _E, "the engine cannot do this yet"),
    Rule("WF210", "value-not-allowed", _E, "the value is none of the allowed ones"),
    Rule("WF211", "zero-workers", _E, "a node without workers answers nothing"),
    Rule("WF212", "impossible-resource", _E, "no cluster can give out such a resource"),
    # WF3xx: names and the graph
    Rule("WF301", "cyclic-edge", _E, "nodes feed into each other in a circle"),
    Rule("WF302", "self-loop", _E, "a node feeds into itself"),
    Rule("WF303", "repeated-edge", _E, "an edge stands twice"),
    Rule("WF304", "unknown-node", _E, "an edge leads to nothing"),
    Rule("WF305", "several-entries", _E, "more than one node has no parent"),
    Rule("WF306", "unreachable-node", _E, "a part of the dag has no connection with the entry"),
    Rule("WF307", "unused-model", _W, "a model stands in no edge", tolerated=True),
    Rule("WF308", "bad-name", _E, "a name holds characters that names cannot have"),
    Rule("WF309", "reserved-name", _E, "a name that has a meaning of its own", tolerated=True),
    Rule("WF310", "name-too-long", _E, "a name is longer than file names may be"),
    Rule("WF311", "names-differ-only-in-case", _W, "two names differ only in case"),
    Rule("WF312", "settings-for-nothing", _E, "settings name a node or a function that the dag does not have"),
    # WF4xx: the handler
    Rule("WF401", "missing-handler", _E, "the dag has function nodes, and there is no handler file"),
    Rule("WF402", "handler-syntax", _E, "the handler is not Python"),
    Rule("WF403", "missing-function", _E, "the handler has no function of this name"),
    Rule("WF404", "wrong-arity", _E, "a function cannot be called with data and context"),
    Rule("WF405", "none-not-guarded", _W, "a function is called once with None, and does not allow for it"),
    Rule("WF406", "async-function", _E, "a function returns a coroutine, which is no answer"),
    Rule("WF407", "handler-shadows-module", _W, "the handler's file name hides a module it may need"),
    # WF5xx: archives, models, URLs
    Rule("WF501", "archive-not-found", _E, "a model's archive is not where it is looked for"),
    Rule("WF502", "unknown-url-scheme", _E, "a model's URL has a scheme that cannot be fetched"),
    Rule("WF503", "not-an-archive-name", _W, "a model's url does not look like an archive"),
    Rule("WF504", "digest-mismatch", _E, "an archive is not the one that sha256 pins"),
    Rule("WF505", "bad-digest", _E, "sha256 is not 64 hexadecimal digits"),
    Rule("WF506", "malformed-url", _E, "a model's url is no address"),
    Rule("WF507", "unreadable-model-config", _E, "the configuration inside a model's archive cannot be read"),
    Rule("WF508", "config-value-ignored", _W, "a value in model-config.yaml does not fit and is ignored", at_run=True),
    Rule("WF509", "config-beside-spec", _N, "model-config.yaml and the spec set the same thing", at_run=True),
    Rule("WF510", "unmet-requirement", _W, "this environment does not satisfy what a model requires", at_run=True),
    Rule("WF511", "config-not-supported", _W, "a key of model-config.yaml asks for what is not done here", at_run=True),
    Rule("WF512", "unsupported-runtime", _E, "a model's archive is made for another runtime than Python"),
    Rule("WF513", "device-not-there", _W, "model-config.yaml asks for GPUs that this machine lacks", at_run=True),
    # WF6xx: security
    Rule("WF601", "bidirectional-character", _E, "an invisible character changes the order of reading"),
    Rule("WF602", "path-outside-store", _E, "a model's url leaves the store"),
    Rule("WF603", "credentials-in-url", _W, "a password or another secret stands in a url"),
    Rule("WF604", "unpinned-http-url", _N, "plain HTTP without sha256 can be changed on the way"),
    Rule("WF605", "fetched-archive", _N, "a model's archive is fetched only if a run is allowed to"),
    Rule("WF606", "link-out-of-store", _E, "a link in the store leads out of it"),
    # WF7xx: performance advice
    Rule("WF701", "delay-without-batch", _N, "a batch delay has no effect with batch size 1"),
    Rule("WF702", "delay-over-timeout", _N, "the longest batch delay is longer than a try may take"),
    Rule("WF703", "retries-without-isolation", _N, "retry-attempts repeat nothing that reached a handler"),
    # WF9xx: differences from TorchServe
    Rule("WF901", "no-models", _N, "TorchServe refuses a spec without models"),
    Rule("WF902", "globals-after-models", _N, "TorchServe ignores a global key for the models above it"),
    Rule("WF903", "several-leaves", _N, "TorchServe fails where a leaf's answer is not a JSON object"),
    Rule("WF904", "several-entries-allowed", _N, "TorchServe demands exactly one entry"),
    Rule("WF905", "function-settings", _N, "TorchServe fixes every function to one worker and batch size 1"),
    Rule("WF906", "model-not-a-store-name", _N, "TorchServe reads models from its store or a URL only"),
    # WF907 said which keys of model-config.yaml were not applied yet.
    Rule("WF908", "incomplete-manifest", _N, "TorchServe refuses an archive whose manifest lacks a key", at_run=True),
    Rule("WF909", "workers-scaled", _N, "TorchServe never starts more workers than minWorkers by itself"),
    Rule("WF910", "object-payload", _N, "TorchServe hands bytes from node to node, and never values"),
    # WF92x to WF94x: differences that only those who move care about, found by check-compat alone
    Rule("WF920", "ts-name-not-supported", _E, "a handler imports a name of TorchServe's package that is not here"),
    Rule("WF921", "built-in-not-supported", _E, "a manifest names a handler of a vendor, built into TorchServe"),
    Rule("WF922", "several-processes", _E, "TorchServe starts several processes for one model"),
    Rule("WF923", "server-only-feature", _W, "a handler needs what only TorchServe's server does"),
    Rule("WF924", "status-fails-node", _N, "TorchServe ignores a status that a handler sets inside a workflow"),
    Rule("WF925", "response-headers-kept", _N, "TorchServe drops what the last node says of the response"),
    Rule("WF926", "pieces-joined", _N, "TorchServe uses the first piece of an answer inside a workflow"),
    Rule("WF927", "refusal-reaches-client", _N, "TorchServe hides the words of a refusal inside a workflow"),
    Rule("WF928", "no-manifest", _N, "an archive of a model has no manifest"),
    Rule("WF929", "sleep-over-timeout", _W, "a handler sleeps longer than a try may take"),
    Rule("WF930", "fetched-model", _W, "TorchServe fetches any model; here it must be allowed and pinned"),
    Rule("WF931", "child-processes-end", _N, "TorchServe leaves processes alone that a handler started"),
    Rule("WF932", "written-files-vanish", _N, "TorchServe leaves files that a handler wrote beside its code"),
    Rule("WF933", "full-unpickling", _N, "more than weights is loaded from archives that are trusted, and no others"),
    Rule("WF934", "envelope-ignored", _N, "the envelope of a manifest has no effect"),
    # WF935 said of the C++ runtime what WF512 says of every runtime that is not Python's.
    Rule("WF936", "no-handler", _E, "an archive of a model names no handler"),
    Rule("WF937", "unusable-model", _E, "an archive of a model is damaged, or lacks what it needs"),
    Rule("WF938", "extra-needed", _W, "a handler needs an extra of wfctl that is not installed"),
    Rule("WF939", "library-not-installed", _W, "a handler imports a library that is not installed"),
    Rule("WF940", "batches-sent-early", _N, "TorchServe waits out max-batch-delay for a batch that is not full"),
    Rule("WF941", "workers-follow-load", _N, "TorchServe starts max-workers of a model at once and keeps them"),
)

RULES: dict[str, Rule] = {rule.code: rule for rule in _ROWS}


def find(
    code: str,
    message: str,
    span: Span | None = None,
    *,
    label: str = "",
    help: str | None = None,  # noqa: A002 - the word that the report prints
    notes: tuple[str, ...] = (),
    secondary: tuple[Label, ...] = (),
    fix: tuple[Edit, ...] = (),
) -> Diagnostic:
    """Make a finding with the severity its row in the catalog gives it."""
    return Diagnostic(
        code=code,
        severity=RULES[code].severity,
        message=message,
        span=span,
        label=label,
        help=help,
        notes=notes,
        secondary=secondary,
        fix=fix,
    )
