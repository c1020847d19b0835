"""The status words of the backup systems, from their documentation and source code, and their meaning."""

from __future__ import annotations

WORDS: dict[str, list[tuple[str, dict[str, list[str]]]]] = {
    "healthchecks": [
        (
            '{"checks": [{"status": "WORD", "started": false}]}',
            {"succeeded": ["up", "grace"], "failed": ["down"], "scheduled": ["new"], "unknown": ["paused"]},
        ),
        (
            '{"checks": [{"status": "WORD", "started": true}]}',
            {"inProgress": ["new", "up", "grace", "paused"], "failed": ["down"]},
        ),
    ],
    "prometheus": [
        (
            '{"status": "success", "data": {"result": [{"value": [1795435200, "WORD"]}]}}',
            {"failed": ["0"], "succeeded": ["1"], "inProgress": ["2"], "scheduled": ["3"], "deleted": ["4"]},
        )
    ],
    "prometheus-success-time": [
        (
            '{"status": "success", "data": {"result": [{"value": [1795435200, "WORD"]}]}}',
            {"failed": ["-1"], "unknown": ["0"], "succeeded": ["1795403050"]},
        )
    ],
    "gitlab-schedule": [
        (
            '{"active": true, "last_pipeline": {"status": "WORD"}}',
            {
                "scheduled": [
                    "created",
                    "waiting_for_resource",
                    "waiting_for_callback",
                    "pending",
                    "manual",
                    "scheduled",
                ],
                "inProgress": ["preparing", "running", "canceling"],
                "succeeded": ["success"],
                "failed": ["failed"],
                "cancelled": ["canceled"],
                "unknown": ["skipped"],
            },
        ),
        ('{"active": WORD, "last_pipeline": null}', {"scheduled": ["true"], "unknown": ["false"]}),
    ],
    "github-actions": [
        (
            '{"workflow_runs": [{"status": "completed", "conclusion": "WORD"}]}',
            {
                "succeeded": ["success"],
                "failed": ["failure", "timed_out", "startup_failure", "stale", "action_required"],
                "cancelled": ["cancelled"],
                "unknown": ["neutral", "skipped"],
            },
        ),
        (
            '{"workflow_runs": [{"status": "WORD", "conclusion": null}]}',
            {"scheduled": ["queued", "requested", "waiting", "pending"], "inProgress": ["in_progress"]},
        ),
    ],
    "velero": [
        (
            '{"items": [{"metadata": {}, "status": {"phase": "WORD"}}]}',
            {
                "scheduled": ["New", "Queued", "ReadyToStart", ""],
                "inProgress": [
                    "InProgress",
                    "WaitingForPluginOperations",
                    "WaitingForPluginOperationsPartiallyFailed",
                    "Finalizing",
                    "FinalizingPartiallyFailed",
                ],
                "succeeded": ["Completed"],
                "partial": ["PartiallyFailed"],
                "failed": ["Failed", "FailedValidation"],
                "deleted": ["Deleting"],
            },
        ),
        (
            '{"items": [{"metadata": {"deletionTimestamp": "WORD"}, "status": {"phase": "Completed"}}]}',
            {"deleted": ["2026-11-23T11:00:00Z"], "succeeded": [""]},
        ),
    ],
    "cloudnative-pg": [
        (
            '{"items": [{"metadata": {}, "spec": {"cluster": {"name": "cluster"}}, "status": {"phase": "WORD"}}]}',
            {
                "scheduled": ["pending", ""],
                "inProgress": ["started", "running", "finalizing"],
                "succeeded": ["completed"],
                "failed": ["failed", "walArchivingFailing", "invalid backup definition"],
            },
        ),
        (
            '{"items": [{"metadata": {"deletionTimestamp": "WORD"}, "spec": {"cluster": {"name": "cluster"}}}]}',
            {"deleted": ["2026-11-23T11:00:00Z"], "scheduled": [""]},
        ),
    ],
    "backrest": [
        (
            '{"operations": [{"operationBackup": {}, "logref": "t-1", "status": "WORD"}]}',
            {
                "inProgress": ["STATUS_INPROGRESS"],
                "succeeded": ["STATUS_SUCCESS"],
                "warning": ["STATUS_WARNING"],
                "failed": ["STATUS_ERROR"],
                "cancelled": ["STATUS_SYSTEM_CANCELLED", "STATUS_USER_CANCELLED"],
                "unknown": ["STATUS_UNKNOWN", ""],
                "absent": ["STATUS_PENDING"],
            },
        ),
        (
            '{"operations": [{"operationBackup": {}, "status": "STATUS_USER_CANCELLED", "logref": WORD}]}',
            {"cancelled": ['"t-1"'], "absent": ['""', "null"]},
        ),
    ],
    "proxmox-backup-server": [
        (
            '{"data": [{"worker_type": "backup", "worker_id": "store:group", "endtime": 1, "status": "WORD"}]}',
            {
                "succeeded": ["OK"],
                "warning": ["WARNINGS: 3"],
                "failed": ["connection error", "OK?"],
                "unknown": ["", "unknown"],
            },
        ),
        (
            '{"data": [{"worker_type": "backup", "worker_id": "store:group", "endtime": WORD}]}',
            {"inProgress": ["null"], "unknown": ["1795403050"]},
        ),
    ],
    "kopia": [
        (
            '{"sources": [{"source": {"path": "path"}, "status": "WORD", "lastSnapshot": {"id": "a"}}]}',
            {
                "succeeded": ["IDLE", "INITIALIZING", "PAUSED", "REMOTE", "STOPPED"],
                "inProgress": ["UPLOADING"],
                "scheduled": ["PENDING"],
                "unknown": ["FAILED"],
            },
        ),
        (
            '{"sources": [{"source": {"path": "path"}, "lastSnapshot": {"incomplete": "WORD"}}]}',
            {"failed": ["canceled", "checkpoint"]},
        ),
        (
            '{"sources": [{"source": {"path": "path"}, "lastSnapshot": {"rootEntry": {"summ": {"numFailed": WORD}}}}]}',
            {"succeeded": ["0", "null"], "partial": ["2"]},
        ),
        (
            '{"sources": [{"source": {"path": "path"}, "status": "IDLE", "nextSnapshotTime": WORD}]}',
            {"scheduled": ['"2026-11-24T03:00:00Z"'], "unknown": ["null"]},
        ),
    ],
    "duplicati": [
        (
            '[{"Backup": {"Name": "backup", "Metadata": WORD}, "Schedule": null}]',
            {
                "succeeded": [
                    '{"LastBackupFinished": "20261123T030410Z"}',
                    '{"LastBackupFinished": "20261123T030410Z", "LastErrorDate": "20261122T030000Z"}',
                ],
                "failed": [
                    '{"LastErrorDate": "20261123T030000Z"}',
                    '{"LastBackupFinished": "20261122T030410Z", "LastErrorDate": "20261123T030000Z"}',
                ],
                "unknown": ["{}"],
            },
        ),
        ('[{"Backup": {"Name": "backup", "Metadata": {}}, "Schedule": WORD}]', {"scheduled": ['{"ID": 1}']}),
    ],
    "barman": [
        (
            '{"acme": [{"backup_id": "20261123T040000", "status": "WORD"}]}',
            {
                "scheduled": ["EMPTY"],
                "inProgress": ["STARTED", "SYNCING", "WAITING_FOR_WALS"],
                "succeeded": ["DONE"],
                "failed": ["FAILED"],
            },
        )
    ],
    "pgbackrest": [
        (
            '[{"name": "stanza", "status": {"code": WORD}, "backup": [{"error": false}]}]',
            {"succeeded": ["0"], "partial": ["4"], "failed": ["5", "6"], "unknown": ["1", "2", "3", "99", "null"]},
        ),
        (
            '[{"name": "stanza", "status": {"lock": {"backup": {"held": WORD}}}, "backup": [{"error": true}]}]',
            {"inProgress": ["true"], "failed": ["false"]},
        ),
    ],
    "restic": [('[{"time": WORD}]', {"succeeded": ['"2026-11-23T03:00:00Z"'], "unknown": ["null"]})],
    "borg": [('{"archives": [{"time": WORD}]}', {"succeeded": ['"2026-11-23T04:00:00.000000"'], "unknown": ["null"]})],
    "urbackup": [
        (
            '{"status": [{"name": "client", "lastbackup": 1, "file_ok": true, "last_filebackup_issues": WORD}]}',
            {"succeeded": ["0"], "warning": ["4"]},
        ),
        (
            '{"status": [{"name": "client", "lastbackup": 1795403050, "file_ok": WORD, "last_filebackup_issues": 0}]}',
            {"succeeded": ["true"], "failed": ["false"], "unknown": ["null"]},
        ),
        (
            '{"status": [{"name": "client", "lastbackup": 1795403050, "file_ok": false, WORD}]}',
            {
                "deleted": ['"delete_pending": "1"'],
                "unknown": ['"rejected": true', '"file_disabled": true'],
                "failed": ['"delete_pending": "", "processes": []'],
            },
        ),
        (
            '{"status": [{"name": "client", "lastbackup": 1, "file_ok": false, "processes": [{"action": WORD}]}]}',
            {"inProgress": ["1", "2", "5", "6"], "failed": ["0", "3", "4", "7", "8", "9", "10"]},
        ),
        (
            '{"status": [{"name": "client", "lastbackup": WORD, "file_ok": false}]}',
            {"scheduled": ["0", '"-"', '""'], "failed": ["1795403050"]},
        ),
    ],
    "bareos": [
        (
            '{"jobs": [{"name": "job", "jobstatus": "WORD"}]}',
            {
                "succeeded": ["T"],
                "warning": ["W"],
                "failed": ["E", "e", "f", "D"],
                "partial": ["I"],
                "cancelled": ["A"],
                "inProgress": ["R", "L", "a", "i", "l"],
                "scheduled": ["B", "C", "F", "S", "M", "m", "c", "d", "j", "p", "q", "s", "t"],
            },
        )
    ],
    "azure-backup": [
        (
            '{"value": [{"properties": {"operation": "Backup", "entityFriendlyName": "item", "status": "WORD"}}]}',
            {
                "inProgress": ["InProgress", "Cancelling"],
                "succeeded": ["Completed"],
                "warning": ["CompletedWithWarnings"],
                "failed": ["Failed"],
                "cancelled": ["Cancelled"],
            },
        ),
        (
            '{"value": [{"properties": {"operation": "WORD", "entityFriendlyName": "item", "status": "Completed"}}]}',
            {
                "succeeded": ["Backup", "Backup (Full)", "Backup (Differential)", "Backup (Incremental)"],
                "absent": ["Backup (Log)", "ConfigureBackup", "Restore", "Restore (Log)", "DisableBackup", ""],
            },
        ),
    ],
    "aws-backup": [
        (
            '{"BackupJobs": [{"State": "WORD"}]}',
            {
                "scheduled": ["CREATED", "PENDING"],
                "inProgress": ["RUNNING", "ABORTING"],
                "succeeded": ["COMPLETED"],
                "failed": ["FAILED", "EXPIRED"],
                "cancelled": ["ABORTED"],
                "partial": ["PARTIAL"],
            },
        ),
        (
            '{"BackupJobs": [{"State": "COMPLETED", "MessageCategory": "WORD"}]}',
            {"succeeded": ["SUCCESS", ""], "warning": ["AccessDenied"]},
        ),
    ],
}
"""By preset: answers with a placeholder for a word, and the words by expected outcome."""
