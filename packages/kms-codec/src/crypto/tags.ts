import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

export const KEY_ID_BYTES = 8;
export const TAG_BYTES = 16;

/**
 * Truncated SHA-256 tags bind a message to its crypto key, namespace and workflow (docs/wire-formats.md). The
 * tags need no salt, because they hide nothing: Temporal already knows the namespace and the workflow id.
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
 * Returns the tag of exactly this workflow id. Writers must pass the id from {@link boundWorkflowId}; readers
 * must use {@link isOfWorkflow}.
 */
export const workflowTag = (namespace: string, workflowId: string): Uint8Array =>
  workflowTags(`${namespace}\0${workflowId}`);

/** The pattern needs no anchors, because it is tested only against text of the timestamp's length. */
const SCHEDULED_TIME = /-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/;
const SCHEDULED_TIME_LENGTH = '-YYYY-MM-DDTHH:MM:SSZ'.length;

/**
 * Returns the workflow id in a schedule's action, given the id of a workflow that the schedule has started.
 * Returns any other id unchanged.
 */
export function scheduledWorkflowId(workflowId: string): string {
  const end = workflowId.length - SCHEDULED_TIME_LENGTH;
  return end > 0 && SCHEDULED_TIME.test(workflowId.slice(end)) ? workflowId.slice(0, end) : workflowId;
}

interface WorkflowContext {
  readonly type?: 'workflow' | 'activity';
  readonly workflowId?: string | undefined;
}

/**
 * Returns the workflow id to which a writer binds a message. In a workflow's context, removes the timestamp
 * that a schedule appends, because Temporal passes the result or failure of a schedule's workflow to the
 * schedule's next workflow. In an activity's context, returns the id unchanged, because an activity's
 * payloads stay in their workflow.
 * @returns undefined if the context names no workflow; Temporal does not allow an empty id
 */
export function boundWorkflowId(context: WorkflowContext | undefined): string | undefined {
  if (!context?.workflowId) return undefined;
  return context.type === 'activity' ? context.workflowId : scheduledWorkflowId(context.workflowId);
}

/**
 * Returns whether a workflow may read a message with this tag. The tag must come from the workflow's id, or
 * from the id in the action of the workflow's schedule.
 */
export const isOfWorkflow = (tag: Uint8Array, namespace: string, workflowId: string): boolean =>
  sameBytes(tag, workflowTag(namespace, workflowId)) ||
  sameBytes(tag, workflowTag(namespace, scheduledWorkflowId(workflowId)));

const labelled = (label: string) =>
  remember(
    (namespace: string) =>
      new Uint8Array(Buffer.concat([Buffer.from(`${label}\0`), namespaceTag(namespace)])),
  );

/** Returns the additional authenticated data with which Cloud KMS wraps a namespace's branch keys. */
export const branchKeyAad = labelled('temporal-kms/v2/branch-key');

/** Returns the HKDF info for deriving a namespace's data keys from its branch keys. */
export const dataKeyInfo = labelled('temporal-kms/v2/data-key');

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
