import { escapeInvisible } from '@temporal-kms/codec-api';
import { ABSENT, type Difference, type FieldMap, type WhatDiffers } from '@temporal-kms/histories/why';
import { formatDuration } from '../../ui/format/duration.ts';
import { formatBytes, formatCount, plural } from '../../ui/format/number.ts';
import { withCondition } from '../filter/edit-query.ts';
import { comparison, type Comparison, parseQuery, printQuery } from '../filter/visibility-query.ts';

/** The fields with fixed names. The names of all other fields begin with `input`, `memo.` or `attribute.`. */
const names: Readonly<Record<string, string>> = {
  type: 'Workflow type',
  queue: 'Task queue',
  parent: 'Started by a parent',
  attempt: 'Attempt',
  cron: 'Cron schedule',
  starter: 'Client that started the run',
  hour: 'Hour of the start (UTC)',
  worker: 'Worker of the first task',
  build: 'Build of the first task’s worker',
  deployment: 'Deployment of the first task’s worker',
  sdk: 'SDK of the first task’s worker',
  key: 'Key of the input',
  keyVersion: 'Key version of the input',
  inputBytes: 'Stored size of the input',
  duration: 'Duration',
  historyEvents: 'Events',
  historyBytes: 'Size of the history',
};

/** When, in the course of a run, a field's value became known. */
export type FieldTime = 'start' | 'changing' | 'end';

/**
 * Returns when, in the course of a run, a field's value became known. `changing`: the current value of a search
 * attribute, which the workflow may have set just before it failed. `end`: a fact about how the run went, which
 * may be an effect of the cause.
 */
export function fieldTime(field: string): FieldTime {
  if (['duration', 'historyEvents', 'historyBytes'].includes(field)) return 'end';
  return field.startsWith('attribute.') ? 'changing' : 'start';
}

/** Returns a field's display name, and whether that name is a path. */
export function fieldWords(field: string): { readonly text: string; readonly isPath: boolean } {
  const known = Object.hasOwn(names, field) ? names[field] : undefined;
  return known === undefined
    ? { text: escapeInvisible(field.replace(/^attribute\./, '')), isPath: true }
    : { text: known, isPath: false };
}

const isBytes = (field: string): boolean => field === 'inputBytes' || field === 'historyBytes';

/** Formats a field's number with its unit. */
function numberText(field: string, value: number): string {
  if (field === 'duration') return formatDuration(value);
  return isBytes(field) ? formatBytes(value) : formatCount(value);
}

const precise = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 20 });

/** Formats a field's number with all its digits. */
function preciseText(field: string, value: number): string {
  const unit = field === 'duration' ? ' ms' : isBytes(field) ? ' B' : '';
  return `${precise.format(value)}${unit}`;
}

/**
 * Formats the median of each set, with the number of runs that it covers unless it covers all of them. Medians
 * that would look equal get all their digits. Returns undefined if the numbers were not compared by rank.
 */
export function medianTexts(
  { field, medians, first, second }: Difference,
  sizes: WhatDiffers['sizes'],
): readonly [a: string, b: string] | undefined {
  if (!medians) return undefined;
  const [a, b] = medians;
  const format = a !== b && numberText(field, a) === numberText(field, b) ? preciseText : numberText;
  const text = (median: number, count: number, of: number) =>
    `${format(field, median)}${count < of ? ` (${formatCount(count)} of ${plural(of, 'run')})` : ''}`;
  return [text(a, first, sizes[0]), text(b, second, sizes[1])];
}

const percent = (share: number) => Math.round(share * 100);

/** Says how clearly the field separates the sets. */
export function effectText(
  { effect, larger, first, second }: Difference,
  sizes: WhatDiffers['sizes'],
): string {
  if (!larger) return `${percent(effect)} percentage points`;
  const half = first < sizes[0] || second < sizes[1] ? 'ties and absent numbers' : 'ties';
  return `${larger === 'first' ? 'A' : 'B'} is higher in ${percent((1 + effect) / 2)} % of pairs (${half} count half)`;
}

const MILLION = 1_000_000;

/** Formats a p-value in words, rounded so that it never overstates the evidence: `1 in 4,000`. */
export function chanceText(p: number): string {
  const cases = 1 / p;
  if (cases >= MILLION) return 'less than 1 in a million';
  const step = 10 ** Math.floor(Math.log10(cases));
  return `1 in ${formatCount(Math.floor(cases / step) * step)}`;
}

/** The server truncates names to this many characters. */
const CUT = 200;

/**
 * Returns the list's query for the runs of a set that have the value; undefined if a visibility query cannot
 * express the value.
 */
export function queryFor(
  { field, value }: Difference,
  set: string,
  runs: readonly FieldMap[],
): string | undefined {
  const condition = value === undefined ? undefined : conditionFor(field, value, runs);
  const query = parseQuery(set);
  return condition && query.kind === 'conditions' ? printQuery(withCondition(query, condition)) : undefined;
}

function conditionFor(field: string, value: string, runs: readonly FieldMap[]): Comparison | undefined {
  const isName = value !== ABSENT && value.length < CUT;
  if (field === 'type') return isName ? comparison('WorkflowType', '=', [value]) : undefined;
  if (field === 'queue') return isName ? comparison('TaskQueue', '=', [value]) : undefined;
  if (field === 'parent')
    return comparison('ParentWorkflowId', value === 'true' ? 'IS NOT NULL' : 'IS NULL', []);
  // An item of a list is a field such as `attribute.BuildIds[0]`, and the list's length is the field
  // `attribute.BuildIds.length`.
  const attribute = /^attribute\.([^.[\]]+)(?:\[\d\])?$/.exec(field)?.[1];
  if (attribute === undefined) return undefined;
  const sample = runs.map((run) => run[field]).find((one) => one !== undefined && String(one) === value);
  if (sample === undefined) return field.endsWith(']') ? undefined : comparison(attribute, 'IS NULL', []);
  return comparison(attribute, '=', [{ text: value, quoted: typeof sample === 'string' }]);
}
