import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

export const KEY_ID_BYTES = 8;
export const TAG_BYTES = 16;

/**
 * Truncated SHA-256 tags bind a message to its crypto key, namespace and workflow (docs/wire-formats.md). They have no
 * salt, because they need to hide nothing: Temporal knows the namespace and the workflow id.
 */
const remember = <K extends {}>(compute: (key: K) => Uint8Array) => {
  const cache = new LRUCache<K, Uint8Array>({ max: 4096, memoMethod: compute });
  return (key: K): Uint8Array => cache.memo(key);
};

const sha256 = (bytes: number, ...parts: string[]) =>
  new Uint8Array(createHash('sha256').update(parts.join('\0')).digest().subarray(0, bytes));

/** Returns the 8 bytes that identify a crypto key in a header. */
export const keyId = remember((cryptoKey: string) => sha256(KEY_ID_BYTES, cryptoKey));

export const namespaceTag = remember((namespace: string) =>
  sha256(TAG_BYTES, 'temporal-kms/v2/namespace', namespace),
);

const workflowTags = remember((joined: string) => sha256(TAG_BYTES, 'temporal-kms/v2/workflow', joined));

/**
 * Returns the tag of a workflow id, as it is: see {@link boundWorkflowId} for writers, {@link isOfWorkflow} for
 * readers.
 */
export const workflowTag = (namespace: string, workflowId: string): Uint8Array =>
  workflowTags(`${namespace}\0${workflowId}`);

const SCHEDULED_TIME = /^-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
const SCHEDULED_TIME_LENGTH = '-YYYY-MM-DDTHH:MM:SSZ'.length;

/** Returns the workflow id that a schedule names, from the id of one of its runs. Returns any other id unchanged. */
export function scheduledWorkflowId(workflowId: string): string {
  const end = workflowId.length - SCHEDULED_TIME_LENGTH;
  return end > 0 && SCHEDULED_TIME.test(workflowId.slice(end)) ? workflowId.slice(0, end) : workflowId;
}

interface WorkflowContext {
  readonly type?: 'workflow' | 'activity';
  readonly workflowId?: string | undefined;
}

/**
 * Returns the workflow id to which a writer binds a message. In a workflow's context it is that of the schedule,
 * because Temporal passes a run's result and failure to the schedule's next run. An activity's payloads stay in its
 * run.
 * @returns undefined where no workflow is known; Temporal has none with an empty id
 */
export function boundWorkflowId(context: WorkflowContext | undefined): string | undefined {
  if (!context?.workflowId) return undefined;
  return context.type === 'activity' ? context.workflowId : scheduledWorkflowId(context.workflowId);
}

/**
 * Whether a message with this tag is read in a workflow: the tag is that of its id, or of the id that its schedule
 * names.
 */
export const isOfWorkflow = (tag: Uint8Array, namespace: string, workflowId: string): boolean =>
  sameBytes(tag, workflowTag(namespace, workflowId)) ||
  sameBytes(tag, workflowTag(namespace, scheduledWorkflowId(workflowId)));

const labelled = (label: string) =>
  remember(
    (namespace: string) =>
      new Uint8Array(Buffer.concat([Buffer.from(`${label}\0`), namespaceTag(namespace)])),
  );

/** Returns the additional authenticated data under which Cloud KMS wraps a namespace's branch keys. */
export const branchKeyAad = labelled('temporal-kms/v2/branch-key');

/** Returns the info with which a namespace's data keys are derived from its branch keys. */
export const dataKeyInfo = labelled('temporal-kms/v2/data-key');

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
