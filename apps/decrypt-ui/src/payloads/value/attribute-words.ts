/** Converts an enum value to words: `MAXIMUM_ATTEMPTS_REACHED` → `Maximum attempts reached`. */
export function sentence(value: string): string;
export function sentence(value: string | undefined): string | undefined;
export function sentence(value: string | undefined): string | undefined {
  if (!value) return undefined;
  const words = value.toLowerCase().replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The prefixes of Temporal's enum values, which repeat the enum's name. */
const enumPrefixes = [
  'CONTINUE_AS_NEW_INITIATOR',
  'PARENT_CLOSE_POLICY',
  'PENDING_ACTIVITY_STATE',
  'PENDING_NEXUS_OPERATION_STATE',
  'PENDING_WORKFLOW_TASK_STATE',
  'RETRY_STATE',
  'TASK_QUEUE_KIND',
  'TASK_QUEUE_TYPE',
  'TIMEOUT_TYPE',
  'VERSIONING_BEHAVIOR',
  'WORKFLOW_EXECUTION_STATUS',
  'WORKFLOW_ID_CONFLICT_POLICY',
  'WORKFLOW_ID_REUSE_POLICY',
  'WORKFLOW_TASK_FAILED_CAUSE',
  'CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE',
  'SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE',
  'START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE',
  'EVENT_TYPE',
  'NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR',
  'APPLICATION_ERROR_CATEGORY',
  'CALLBACK_STATE',
] as const;

/** Returns the text for a value of an enum in `enumPrefixes`, or undefined for any other value. */
export function enumWords(value: string): string | undefined {
  if (!/^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(value)) return undefined;
  const prefix = enumPrefixes.find((name) => value.startsWith(`${name}_`));
  return prefix === undefined ? undefined : sentence(value.slice(prefix.length + 1));
}

const acronyms: Readonly<Record<string, string>> = {
  id: 'id',
  ids: 'ids',
  dns: 'DNS',
  url: 'URL',
  sdk: 'SDK',
};

/** Display names for attributes whose own names are not clear enough. */
const names: Readonly<Record<string, string>> = {
  startToCloseTimeout: 'Time limit of an attempt',
  scheduleToCloseTimeout: 'Total time limit for all attempts',
  scheduleToStartTimeout: 'Time limit in the queue',
  heartbeatTimeout: 'Time limit between heartbeats',
  workflowExecutionTimeout: 'Total time limit for all runs',
  workflowRunTimeout: 'Time limit of the run',
  workflowTaskTimeout: 'Time limit of a workflow task',
  startToFireTimeout: 'Fires after',
  'retryPolicy.maximumAttempts': 'Maximum attempts',
  'retryPolicy.initialInterval': 'First retry after',
  'retryPolicy.maximumInterval': 'Longest wait between retries',
  'retryPolicy.backoffCoefficient': 'Backoff coefficient',
  'retryPolicy.nonRetryableErrorTypes': 'Not retried for',
  identity: 'Worker or client',
  'taskQueue.name': 'Task queue',
  'taskQueue.kind': 'Kind of task queue',
  'taskQueue.normalName': 'Task queue of the workflow',
  'activityType.name': 'Activity type',
  'workflowType.name': 'Workflow type',
  'workflowExecution.workflowId': 'Workflow id',
  'workflowExecution.runId': 'Run id',
  'parentWorkflowExecution.workflowId': 'Parent workflow id',
  'parentWorkflowExecution.runId': 'Parent run id',
  'rootWorkflowExecution.workflowId': 'Root workflow id',
  'rootWorkflowExecution.runId': 'Root run id',
  scheduledEventId: 'Scheduled by event',
  startedEventId: 'Started by event',
  initiatedEventId: 'Initiated by event',
  acceptedEventId: 'Accepted by event',
  parentInitiatedEventId: 'Event in the parent',
  workflowTaskCompletedEventId: 'Decided by workflow task, event',
  firstExecutionRunId: 'First run of the chain',
  originalExecutionRunId: 'Original run id',
  continuedExecutionRunId: 'Continued from run',
  newExecutionRunId: 'Next run',
  binaryChecksum: 'Build checksum',
  'sdkMetadata.langUsedFlags': 'SDK flags',
  'sdkMetadata.coreUsedFlags': 'SDK core flags',
  historySizeBytes: 'History size in bytes',
};

/** Converts an attribute's path to words: `retryPolicy.maximumAttempts` → `Maximum attempts`. */
export function attributeName(path: string): string {
  const known = names[path];
  if (known !== undefined) return known;
  const words = path
    // People chose the names inside brackets and quotes, so these names remain unchanged.
    .split(/\.|(?=\[)|(?<=\])\.?/)
    .filter((part) => part !== '')
    .map((part) => (part.startsWith('[') ? part : inWords(part)))
    .join(', ')
    .replaceAll(', [', ' [');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const inWords = (name: string) =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(' ')
    .map((word) => acronyms[word.toLowerCase()] ?? word.toLowerCase())
    .join(' ');
