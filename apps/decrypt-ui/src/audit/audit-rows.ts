import type { AuditEntry, AuditOperation, AuditResult } from '@temporal-kms/codec-api';
import { millisOf, type Outcome } from '@temporal-kms/histories/events';
import { worstTone } from '../keys/key-health.ts';
import { formatCount, plural } from '../ui/format/number.ts';

/** An operation: the loaded audit lines that have the same id. */
export interface AuditRow {
  readonly id: string;
  /** When the last of the loaded lines was written, in milliseconds since 1970. */
  readonly time: number;
  /** The line with the most facts about who did what: the intent, if it is loaded. */
  readonly entry: AuditEntry;
  readonly outcome: AuditEntry['outcome'];
  /** The loaded lines, newest first. */
  readonly lines: readonly AuditEntry[];
}

/** Groups lines into operations, in the order of the lines. */
export function auditRows(lines: readonly AuditEntry[]): AuditRow[] {
  return [...Map.groupBy(lines, ({ id }) => id)].map(([id, own]): AuditRow => {
    const entry = own.find(({ event }) => event === 'intent' || event === 'denied') ?? own[0];
    if (!entry) throw new Error('An operation has no lines.');
    const { outcome } = own.find((line) => line.outcome) ?? {};
    return { id, time: millisOf(own[0]?.time) ?? 0, entry, outcome, lines: own };
  });
}

export const operationTexts: Readonly<Record<AuditOperation, string>> = {
  metadata: 'List',
  decode: 'Decrypt',
  encode: 'Encrypt',
  search: 'Search',
  export: 'Export',
  query: 'Query',
  audit: 'Read audit',
  self_test: 'Test keys',
};

export const resultTexts: Readonly<Record<AuditResult | 'denied', string>> = {
  complete: 'Complete',
  failed: 'Failed',
  cut_off: 'Cut off',
  signed_out: 'Sign-in expired',
  limit: 'Limit reached',
  shutdown: 'Server stopped',
  denied: 'Denied',
};

const resultOutcomes: Readonly<Record<AuditResult, Outcome>> = {
  complete: 'ok',
  failed: 'failed',
  cut_off: 'canceled',
  signed_out: 'timed-out',
  limit: 'timed-out',
  shutdown: 'canceled',
};

export interface ResultText {
  readonly outcome: Outcome | 'denied';
  readonly text: string;
  /** The details that the short text omits. */
  readonly detail: string;
}

/** Returns how an operation ended, in words. */
export function resultOf({ entry, outcome }: AuditRow): ResultText {
  if (entry.event === 'denied') {
    const why =
      entry.denied === 'justification_required'
        ? 'The request had no justification.'
        : 'The policy does not allow the request.';
    const more = entry.count === undefined ? '' : ` ${plural(entry.count, 'further denial')} like it.`;
    const text = entry.count === undefined ? 'Denied' : `Denied ×${formatCount(entry.count)}`;
    return { outcome: 'denied', text, detail: `${why}${more}` };
  }
  if (!outcome && entry.operation === 'audit') {
    return {
      outcome: 'neutral',
      text: 'In progress',
      detail:
        'A request that reads the audit ends after its response is sent, so the response cannot contain the outcome.',
    };
  }
  if (!outcome) {
    return {
      outcome: 'neutral',
      text: 'No outcome',
      detail:
        'No outcome is loaded: the operation is in progress, the server was killed, or the filter excludes the outcome.',
    };
  }
  const unreadable = unreadableOf(outcome);
  const partial = outcome.result === 'complete' && unreadable > 0;
  return {
    outcome: partial ? worstTone(outcome.refused) : resultOutcomes[outcome.result],
    text: `${resultTexts[outcome.result]}${partial ? `, ${formatCount(unreadable)} unreadable` : ''}`,
    detail: [
      plural(outcome.payloads, 'payload'),
      ...(unreadable > 0 ? [`${formatCount(unreadable)} could not be read`] : []),
    ].join(', '),
  };
}

/** Returns the number of an operation's payloads that could not be decrypted or encrypted. */
const unreadableOf = (outcome: NonNullable<AuditRow['outcome']>): number =>
  Object.values(outcome.refused).reduce((sum: number, count) => sum + (count ?? 0), 0);

/**
 * Returns the run that an entry names, in the request's namespace; undefined if the entry has no workflow id,
 * or if the run was in a file, because the server cannot verify the ids in a file. If all payloads of the
 * entry belong to one event, also returns the event.
 */
export function runOf({
  namespace,
  requestNamespace,
  workflowId,
  runId,
  refs,
  source,
}: AuditEntry): { namespace: string; workflowId: string; runId?: string; eventId?: number } | undefined {
  const own = requestNamespace ?? namespace;
  if (own === undefined || workflowId === undefined || source === 'file') return undefined;
  const [event, ...others] = new Set(refs?.map((ref) => Number(ref.split(':')[0])));
  const single = event !== undefined && event > 0 && others.length === 0;
  return { namespace: own, workflowId, ...(runId && { runId }), ...(single && { eventId: event }) };
}

const columns = [
  'time',
  'id',
  'event',
  'operation',
  'name',
  'issuer',
  'subject',
  'from',
  'namespace',
  'requestNamespace',
  'workflowId',
  'runId',
  'source',
  'refs',
  'scheduleId',
  'query',
  'justification',
  'denied',
  'count',
  'since',
  'result',
  'payloads',
  'keys',
  'refused',
  'digests',
  'object',
  'part',
  'chainInstance',
  'chainSeq',
  'chainPrev',
] as const;

/**
 * Returns audit lines as cells, with column names in the first row. A list becomes one cell, with its items separated by
 * spaces.
 */
export function auditCells(lines: readonly AuditEntry[]): (string | number)[][] {
  const cells = lines.map((line) => {
    const { who, outcome, object, chain } = line;
    const values: Readonly<Partial<Record<(typeof columns)[number], string | number | undefined>>> = {
      ...line,
      ...who,
      refs: line.refs?.join(' '),
      digests: line.digests?.join(' '),
      object: object && Object.values(object).join(' '),
      result: outcome?.result,
      payloads: outcome?.payloads,
      keys: outcome?.keys
        .map(({ name, version, payloads }) => `${name}/${version ?? '?'}=${payloads}`)
        .join(' '),
      refused:
        outcome &&
        Object.entries(outcome.refused)
          .map(([code, count]) => `${code}=${count}`)
          .join(' '),
      chainInstance: chain?.instance,
      chainSeq: chain?.seq,
      chainPrev: chain?.prev,
    };
    return columns.map((column) => values[column] ?? '');
  });
  return [[...columns], ...cells];
}
