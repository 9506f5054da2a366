"""The text of ``wfctl run --help`` above its options."""

RUN_HELP = """\
Run a workflow on an input and print the answer, or on many inputs.

INPUT is a JSON file, any other file with the content type its name tells, or `-` for standard input (JSON if it
is JSON, else text if it is UTF-8, else bytes).

The answer goes to standard output exactly as the last node returned it; on a terminal JSON is indented, and an
answer that is not text is refused. What handlers print goes to standard error, the node's name in front.

Archives are fetched only from where --allow-url allows it, and run only if their digest is pinned or with --trust.

\b
BULK RUNS. A run is on many inputs if INPUT or OUTPUT says so:
  FILE.jsonl     each line is an input, as it stands (.ndjson is the same)
  FILE.csv       each row is an input: a JSON object, keys from the header
  FOLDER         each file in it, and in folders below; none hidden, no linked folder
  'PATTERN'      each file that matches; ** stands for any folders, but for linked ones
  FILE FILE ...  each file; one that ends in .jsonl or .csv gives its records
  FILE --each    each element of a JSON array
  - --format F   standard input as a stream of lines (jsonl) or rows (csv)
  -o FILE.jsonl  also makes one input a bulk run, and `-` a stream of lines
  -o FOLDER/     likewise

Without -o the answers go to standard output. Answers are lines of JSON in input order, one for every input: its
number from 1, its status, and "answer" (or "answer_b64" for bytes) or "error". In a folder each input has a file
of its name, or of its number; that of a failure ends in .error.json. Failures are collected once more at the
end, in FILE.errors.jsonl or FOLDER/errors.jsonl, and make the exit code 3.

An OUTPUT that exists is not touched without --resume or --overwrite. --resume continues a run that was ended by
anything, kill -9 included: what is whole in OUTPUT is done, the rest is run. FILE.run.json (in a folder
.wfctl-run.json) says which inputs, workflow and options the run had. Others are refused: other content, of files that
are one input each other names, sizes or times of change. Worker settings, --window, --limit and --on-error may
change. Inputs that were at work when a run was broken are run again, so handlers may be called twice for one input;
it has one answer all the same.
"""
