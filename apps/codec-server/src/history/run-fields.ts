import {
  countReason,
  MAX_REFS,
  payloadRefOf,
  type ReasonCode,
  type ReasonCounts,
  type RunFieldsFrame,
  type WorkflowSummary,
} from '@temporal-kms/codec-api';
import {
  eventIdOf,
  eventPayloads,
  type ProtoEvent,
  type StoredPayload,
  workflowContext,
} from '@temporal-kms/histories/payloads';
import { type FieldMap, flatFields } from '@temporal-kms/histories/why';
import type { DecryptResult } from './decrypt-payload.ts';
import { type Decrypting, decryptInRun, type DecryptInRunOptions, type RefPayload } from './decrypt-some.ts';
import { framesOverRuns, type RunsStream, type Visited } from './over-runs.ts';
import type { Inspect } from './payload-stub.ts';
import type { Run } from './reader.ts';
import type { StreamLifetime } from './stream-limits.ts';
import type { TextThreads } from './text-threads.ts';

/** Maximum number of fields of a run. A run's memo may have thousands of entries. */
const MAX_RUN_FIELDS = 400;
/** Identities and ids are cut to this many characters. */
const MAX_TEXT = 200;

/** A run's fields and, by reason code, the number of payloads without fields. */
export type RunFields = Pick<Extract<RunFieldsFrame, { type: 'run' }>, 'fields' | 'unreadable'>;

/**
 * Returns the fields of a run that need no decryption. `duration`, `historyEvents` and `historyBytes` are
 * known only for closed runs.
 * @param events the first events of the run's history: the start, and possibly the first completed
 * workflow task, which names the worker
 */
export function plainFields(
  run: WorkflowSummary,
  events: readonly ProtoEvent[],
  namespace: string,
  inspect: Inspect,
): FieldMap {
  const [started = {}] = events;
  const context = workflowContext({ namespace, workflowId: run.workflowId });
  const inputs = eventPayloads(started, context).filter(({ path }) => path.startsWith('input.'));
  const start = Date.parse(run.startTime ?? '');
  const { attempt, cronSchedule, identity } = started.workflowExecutionStartedEventAttributes ?? {};
  const isClosed = run.closeTime !== undefined;
  const known = {
    type: run.type,
    queue: run.taskQueue,
    parent: run.parent !== undefined,
    attempt,
    cron: cronSchedule,
    starter: identity,
    hour: Number.isNaN(start) ? undefined : new Date(start).getUTCHours(),
    ...workerFields(events),
    ...keyFields(inputs, inspect),
    inputBytes: inputs.reduce((sum, { payload }) => sum + (payload.data?.length ?? 0), 0),
    duration: isClosed ? Date.parse(run.closeTime ?? '') - start : undefined,
    historyEvents: isClosed ? run.historyLength : undefined,
    historyBytes: isClosed ? run.historySizeBytes : undefined,
  };
  const fields: Record<string, FieldMap[string]> = {};
  for (const [name, value] of Object.entries(known)) {
    if (value === undefined || value === null || value === '' || Number.isNaN(value)) continue;
    fields[name] = typeof value === 'string' ? value.slice(0, MAX_TEXT) : value;
  }
  return { ...fields, ...flatFields('attribute', run.searchAttributes) };
}

/** Returns the fields of the worker that completed the first workflow task. */
function workerFields(events: readonly ProtoEvent[]) {
  const task = events.find(
    ({ workflowTaskCompletedEventAttributes: completed }) => completed,
  )?.workflowTaskCompletedEventAttributes;
  if (!task) return {};
  const { deploymentVersion: version, workerVersion, binaryChecksum, sdkMetadata, identity } = task;
  return {
    worker: identity,
    build: version?.buildId || workerVersion?.buildId || binaryChecksum,
    deployment: version?.deploymentName,
    sdk: [sdkMetadata?.sdkName, sdkMetadata?.sdkVersion].filter(Boolean).join(' '),
  };
}

/** Returns the fields of the key that the first encrypted argument names. */
function keyFields(inputs: readonly StoredPayload[], inspect: Inspect) {
  for (const { payload, context } of inputs) {
    const { key, keyVersion } = inspect(payload, context);
    if (key !== undefined || keyVersion !== undefined) return { key, keyVersion };
  }
  return {};
}

/**
 * Returns the name under which a payload's fields are compared; undefined for payloads other than arguments
 * and memo fields.
 */
function nameOf(path: string): string | undefined {
  const index = /^input\.payloads\[(\d+)\]$/.exec(path)?.[1];
  if (index !== undefined) return index === '0' ? 'input' : `input${Number(index) + 1}`;
  return path.startsWith('memo.fields') ? `memo${path.slice('memo.fields'.length)}` : undefined;
}

interface NamedPayload extends RefPayload {
  readonly name: string;
}

/**
 * Returns the arguments and the memo fields of a run's first event, at most as many as an audit entry names.
 */
export function namedPayloads(started: ProtoEvent, run: Run): NamedPayload[] {
  return eventPayloads(started, workflowContext(run))
    .flatMap((payload, n) => {
      const name = nameOf(payload.path);
      return name === undefined ? [] : [{ name, ref: payloadRefOf(eventIdOf(started), n), payload }];
    })
    .slice(0, MAX_REFS);
}

/** The services and limits for decrypting and parsing payloads of several runs. */
export interface DecodingFields extends Decrypting {
  readonly threads: Pick<TextThreads, 'fields'>;
}

/**
 * Decrypts the arguments and the memo of a run, and returns their fields.
 * @returns undefined if the budget of Cloud KMS calls is used up
 */
export async function decodedFields(
  run: Run,
  named: readonly NamedPayload[],
  { threads, ...decrypting }: DecodingFields,
  lifetime: StreamLifetime,
): Promise<RunFields | undefined> {
  const fields = new Map<string, FieldMap[string]>();
  const unreadable: ReasonCounts = {};
  const lease = lifetime.memory.lease();
  const read: DecryptInRunOptions<NamedPayload, RunFields>['read'] = async (results) => {
    for await (const { name, result } of results) {
      const found = await fieldsOf(name, result, threads, lifetime.signal);
      lease.release();
      if (typeof found === 'string') countReason(unreadable, found);
      const own = typeof found === 'string' ? { [`${name}.unreadable`]: found } : found;
      for (const [field, value] of Object.entries(own))
        if (fields.size < MAX_RUN_FIELDS) fields.set(field, value);
      if (fields.size >= MAX_RUN_FIELDS) break;
    }
    return { fields: Object.fromEntries(fields), unreadable };
  };
  try {
    return await decryptInRun(run, named, { decrypting, read, lifetime, lease });
  } finally {
    lease.end();
  }
}

/** Returns a payload's fields, or a reason code if the payload has no readable fields. */
async function fieldsOf(
  name: string,
  result: DecryptResult,
  threads: DecodingFields['threads'],
  signal: AbortSignal,
): Promise<FieldMap | ReasonCode> {
  if (!result.ok) return result.reason;
  // The decrypted payload is only a reference to external storage.
  if (result.warning === 'external_reference') return result.warning;
  return (await threads.fields(name, result.payload, signal)) ?? 'too_large';
}

export interface RunFieldsOptions extends RunsStream {
  /** Number of runs after which the stream ends. */
  readonly most: number;
  readonly read: (run: WorkflowSummary) => Promise<Visited<RunFields>>;
  /** Returns the number of Cloud KMS calls so far. */
  readonly kmsCalls: () => number;
}

/** Reads the fields of a list's runs, and yields them in the list's order. */
export function runFieldsFrames({
  most,
  read,
  kmsCalls,
  ...stream
}: RunFieldsOptions): AsyncGenerator<RunFieldsFrame, void> {
  let begun = 0;
  return framesOverRuns<RunFields, RunFieldsFrame>({
    ...stream,
    stream: 'fields',
    // Runs are read ahead, but not beyond the limit.
    visit: async (run) => {
      begun += 1;
      return begun > most ? { status: 'limit' } : await read(run);
    },
    lines: (found, { workflowId, runId, startTime }, after) => [
      { type: 'run', workflowId, runId, startTime, ...found, after },
    ],
    end: (end) => ({ type: 'end', ...end, kmsCalls: kmsCalls() }),
  });
}
