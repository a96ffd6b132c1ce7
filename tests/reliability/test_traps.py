"""Each of the 39 traps of the portal's API has its tests."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).parents[1]
TRAPS = {
    "with an autoscaler the number of replicas is not the live count": (
        "test_an_autoscaled_service_is_counted_by_the_portal",
        "test_an_autoscaled_service_of_an_old_portal_needs_all_previous_pods_gone",
    ),
    "the portal's count of pods is absent or null for a moment": (
        "test_a_count_that_flickers_is_waited_for",
    ),
    "hosts or a scaling group decide the number of pods": (
        "test_a_daemon_set_has_a_pod_per_host",
        "test_a_service_that_matches_a_scaling_group_has_a_pod_per_host",
    ),
    "a stopped service has no pods": ("test_a_service_without_pods_is_ready_after_the_change",),
    "previous pods stay listed as running": ("test_previous_pods_that_still_run_are_not_counted",),
    "one image is spelled in several ways": (
        "test_images_are_compared_in_canonical_form",
        "test_pods_may_show_the_canonical_image",
    ),
    "an unchanged image proves nothing about a restart, or about a sidecar": (
        "test_restart_replaces_every_pod_on_the_same_image",
        "test_a_sidecar_change_is_recognised_by_the_sidecar",
    ),
    "pods have no controller, or not a replica set": (
        "test_a_crash_on_azure_is_detected_by_service",
        "test_pods_without_a_controller_are_distinguished",
        "test_a_stateful_set_reuses_the_names_of_its_pods",
        "test_pods_of_jobs_are_left_out",
    ),
    "pods lack a service name, or containers": (
        "test_pods_without_a_service_name_are_found_by_their_replica_set",
        "test_a_pod_without_containers_yet_is_recognised_by_its_controller",
    ),
    "a pod that leaves shows that only in its desired status": (
        "test_terminating_pods_are_ignored",
    ),
    "a pod runs without being ready, or between two crashes": (
        "test_a_pod_that_is_up_between_crashes_is_not_up",
    ),
    "an upgrade of native Docker pauses for ever": (
        "test_a_paused_native_docker_upgrade_ends_at_the_time_limit",
        "test_a_native_docker_upgrade_that_crashes_ends_at_once",
    ),
    "faults are old, name a service or a pod, and have severities in no order": (
        "test_faults_from_before_the_change_are_ignored",
        "test_the_most_severe_fault_is_the_cause",
        "test_faults_name_a_pod_or_a_service",
    ),
    "a pod has no log": ("test_a_missing_log_is_not_an_error",),
    "pods of jobs and of other services are listed as well": (
        "test_pods_of_jobs_and_of_other_services_are_ignored",
    ),
    "an older call removes the allocation tags that it does not receive": (
        "test_a_change_on_an_old_portal_keeps_allocation_tags_and_switches",
    ),
    "an older call resets the switches that it does not receive": (
        "test_a_change_on_an_old_portal_keeps_allocation_tags_and_switches",
    ),
    "one call clears every setting that it does not receive": (
        "test_no_call_is_used_that_resets_absent_fields",
    ),
    "a service's settings are free text": (
        "test_an_unreadable_other_docker_config_means_no_other_images",
    ),
    "nothing protects settings that are edited meanwhile": (
        "test_settings_that_are_edited_meanwhile_are_preserved",
    ),
    "an empty reply has four forms": ("test_every_form_of_an_empty_reply_is_a_success",),
    "the rollback call needs a history of images": ("test_a_rollback_does_not_need_history",),
    "an unknown service has several forms": (
        "test_an_unknown_service_is_reported_with_similar_names",
    ),
    "404 means a missing service or a missing call": (
        "test_a_missing_route_is_distinguished_from_a_missing_service",
        "test_a_service_deleted_before_the_change_is_not_a_missing_route",
    ),
    "an alternative call would hide that permission is missing": (
        "test_a_token_without_permissions_is_an_identity_error",
    ),
    "a status of 400 may be temporary": (
        "test_temporary_failures_are_retried",
        "test_an_error_body_is_not_parsed_by_the_reader_of_the_list",
    ),
    "a read-only token passes every read": (
        "test_a_read_only_token_is_reported_as_lacking_write_access",
    ),
    "tenants go by a name in lower case or by an id": (
        "test_the_tenant_is_found_by_name_in_any_case_or_by_id",
    ),
    "names of services distinguish upper and lower case": (
        "test_an_unknown_service_is_reported_with_similar_names",
    ),
    "the code of a platform does not tell the cloud": (
        "test_the_cloud_does_not_decide_between_kubernetes_and_docker",
    ),
    "zero is a code": ("test_zero_is_a_code_and_not_an_absent_value",),
    "listeners have several shapes": ("test_listeners_of_any_shape_are_accepted",),
    "one setting is spelled differently by two calls": (
        "test_an_autoscaler_is_recognised_in_either_spelling",
    ),
    "only some names in ECS have the tenant's prefix": (
        "test_a_hand_made_task_definition_keeps_its_container_names",
    ),
    "after a rollback by ECS the previous revision is primary and complete": (
        "test_a_rollback_by_aws_is_a_failure",
    ),
    "a revision of ECS loses what is sent as false or zero": (
        "test_a_new_revision_differs_only_in_the_image",
    ),
    "Lambda accepts an update before it is complete, and no second one meanwhile": (
        "test_a_rollout_is_ready_once_aws_has_finished",
        "test_an_update_in_progress_is_waited_for",
    ),
    "a change of a CronJob clears what it does not receive": (
        "test_an_update_preserves_every_other_field",
        "test_an_update_ends_at_once_and_reports_when_the_image_is_used",
    ),
    "a cached reply shows an old state": ("test_every_look_bypasses_caches",),
}
"""The tests that hold for each trap, by what makes it one."""


def names() -> frozenset[str]:
    """Return the names of all tests."""
    return frozenset(
        node.name
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef)
    )


def test_every_trap_has_its_tests(record_property: Callable[[str, object], None]) -> None:
    """A test that is renamed or removed is missed here."""
    there = names()
    missing = {trap: set(tests) - there for trap, tests in TRAPS.items() if set(tests) - there}
    record_property("traps", len(TRAPS) - len(missing))
    assert not missing
