"""Every rule that looks at a whole workflow, by its code; what concerns the text alone is found by ``parse_spec``."""

from collections.abc import Callable, Iterator, Mapping

from wfctl.check.rules import advice, archives, differences, graph, handler, models, names, resources, security
from wfctl.check.subject import Subject
from wfctl.diagnostics.model import Diagnostic

RULE_FUNCTIONS: Mapping[str, Callable[[Subject], Iterator[Diagnostic]]] = {
    "WF212": resources.impossible_resource,
    "WF301": graph.cyclic_edge,
    "WF302": graph.self_loop,
    "WF303": graph.repeated_edge,
    "WF304": names.unknown_node,
    "WF305": graph.several_entries,
    "WF306": graph.unreachable_node,
    "WF307": models.unused_model,
    "WF308": names.bad_name,
    "WF309": names.reserved_name,
    "WF310": names.name_too_long,
    "WF311": names.names_differ_only_in_case,
    "WF312": names.settings_for_nothing,
    "WF401": handler.missing_handler,
    "WF403": handler.missing_function,
    "WF404": handler.wrong_arity,
    "WF405": handler.none_not_guarded,
    "WF406": handler.async_function,
    "WF407": handler.handler_shadows_module,
    "WF501": models.archive_not_found,
    "WF502": models.unknown_url_scheme,
    "WF503": models.not_an_archive_name,
    "WF504": models.digest_mismatch,
    "WF506": models.malformed_url,
    **{code: archives.over_models(rule) for code, rule in archives.ARCHIVE_RULES.items() if code < "WF6"},
    "WF602": security.path_outside_store,
    "WF603": security.credentials_in_url,
    "WF604": security.unpinned_http_url,
    "WF605": security.fetched_archive,
    "WF606": security.link_out_of_store,
    "WF701": advice.delay_without_batch,
    "WF702": advice.delay_over_timeout,
    "WF703": advice.retries_without_isolation,
    "WF901": differences.no_models,
    "WF902": differences.globals_after_models,
    "WF903": differences.several_leaves,
    "WF904": differences.several_entries_allowed,
    "WF905": differences.function_settings,
    "WF906": differences.model_not_a_store_name,
    **{code: archives.over_models(rule) for code, rule in archives.ARCHIVE_RULES.items() if code > "WF9"},
    "WF908": archives.incomplete_manifest,
    "WF910": differences.object_payload,
}
