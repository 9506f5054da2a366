"""The YAML examples of the TorchServe Workflows document, with their indentation and their odd spacing."""

MODELS = """\
models:
    #global model params
    min-workers: 1
    max-workers: 4
    batch-size: 3
    max-batch-delay : 5000
    retry-attempts : 3
    timeout-ms : 5000
    m1:
       url : model1.mar #local or public URI
       min-workers: 1   #override the global params
       max-workers: 2
       batch-size: 4

    m2:
       url : model2.mar

    m3:
       url : model3.mar
       batch-size: 3

    m4:
      url : model4.mar

dag:
  pre_processing : [m1]
  m1 : [m2]
  m2 : [m3]
  m3 : [m4]
  m4 : [postprocessing]
"""

SEQUENTIAL = """\
models:
  model1: {url: model1.mar}
  model2: {url: model2.mar}
dag:
  function1 : [model1]
  model1 : [model2]
  model2 : [function2]
"""

PARALLEL = """\
models:
  model1: {url: model1.mar}
  model2: {url: model2.mar}
dag:
  pre_processing: [model1, model2]
  model1: [aggregate_func]
  model2: [aggregate_func]
"""

PROPERTIES = """\
min-workers | Number of minimum workers launched for every workflow model | 1 |
max-workers | Number of maximum workers launched for every workflow model | 1 |
batch-size | Batch size used for every workflow model | 1 |
max-batch-delay | Maximum batch delay time TorchServe waits for every workflow model to receive batch_size requests | 50 ms |
retry-attempts | Retry attempts for a specific workflow node in case of a failure | 1 |
timeout-ms | Timeout in MilliSeconds for a given node | 10000 |
"""


def documented_defaults() -> dict[str, int]:
    rows = [line.split("|") for line in PROPERTIES.splitlines()]
    return {row[0].strip(): int(row[2].split()[0]) for row in rows}
