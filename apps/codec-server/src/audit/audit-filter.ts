import { visibleJson } from '@temporal-kms/audit';
import type { AuditEntry, AuditOperation, AuditResult } from '@temporal-kms/codec-api';

/** The conditions that an audit entry must meet. */
export interface AuditFilter {
  readonly namespace: string;
  readonly workflowId?: string | undefined;
  /** Earliest time, as RFC 3339; inclusive. */
  readonly from?: string | undefined;
  /** Latest time, as RFC 3339; exclusive. */
  readonly to?: string | undefined;
  /** A part of the caller's name or subject. */
  readonly who?: string | undefined;
  readonly operations?: readonly AuditOperation[] | undefined;
  /** How the operation ended. With this condition, only `outcome` entries match. */
  readonly results?: readonly AuditResult[] | undefined;
  /** Part of the justification. */
  readonly justification?: string | undefined;
  readonly denied?: true | undefined;
}

/** Decides which lines a search returns, and where the search can stop. */
export interface EntryFilter {
  /**
   * Returns whether a line may be a matching entry. Checks only the text, which takes a fiftieth of the time
   * that parsing the line takes.
   */
  readonly mayMatch: (line: string) => boolean;
  readonly matches: (entry: AuditEntry) => boolean;
  /** Whether the search can stop, because this line and all earlier lines are older than `from`. */
  readonly isBefore: (line: string) => boolean;
}

/** Tolerance for clocks that are set back, and for lines that are not in chronological order. */
const CLOCK_MS = 60 * 60_000;

const TIME = /^\{"severity":"[A-Z]+","time":"([^"]{1,40})"/;

/** Returns the filter that a search of the audit applies to each entry. */
export function entryFilter(filter: AuditFilter): EntryFilter {
  const { namespace, workflowId, operations, results, denied } = filter;
  const from = millisOf(filter.from);
  const to = millisOf(filter.to);
  const who = filter.who?.toLowerCase();
  const justification = filter.justification?.toLowerCase();
  const words = [namespace, ...(workflowId === undefined ? [] : [workflowId])].map((word) =>
    visibleJson(word),
  );
  const wanted = operations && new Set(operations);
  const ended = results && new Set(results);
  return {
    mayMatch: (line) =>
      words.every((word) => line.includes(word)) &&
      (ended === undefined || line.includes('"outcome":')) &&
      (justification === undefined || line.includes('"justification":')),
    matches: (entry) => {
      if (entry.namespace !== namespace) return false;
      if (workflowId !== undefined && entry.workflowId !== workflowId) return false;
      if (wanted !== undefined && !wanted.has(entry.operation)) return false;
      if (ended !== undefined && !(entry.outcome && ended.has(entry.outcome.result))) return false;
      if (denied && entry.event !== 'denied') return false;
      if (who !== undefined && ![entry.who.name, entry.who.subject].some((name) => contains(name, who)))
        return false;
      if (justification !== undefined && !contains(entry.justification, justification)) return false;
      const time = Date.parse(entry.time);
      return !(from !== undefined && time < from) && !(to !== undefined && time >= to);
    },
    isBefore: (line) => {
      if (from === undefined) return false;
      const time = Date.parse(TIME.exec(line)?.[1] ?? '');
      return time < from - CLOCK_MS;
    },
  };
}

const millisOf = (time: string | undefined): number | undefined =>
  time === undefined ? undefined : Date.parse(time);

const contains = (text: string | undefined, part: string): boolean =>
  text?.toLowerCase().includes(part) ?? false;
