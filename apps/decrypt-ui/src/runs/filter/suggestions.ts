import { workflowStatus } from '@temporal-kms/codec-api';
import { outcomeOf, outcomeText } from '../outcome.ts';
import { attributeNames } from './condition-words.ts';
import {
  comparison,
  type Comparison,
  type Condition,
  isRelativeTime,
  isTimeAttribute,
  isWord,
  parseQuery,
  prefixCondition,
  textValue,
} from './visibility-query.ts';

/** A suggestion: adds a condition, or asks for an attribute's value. */
export type Suggestion =
  | { readonly kind: 'condition'; readonly condition: Condition }
  | { readonly kind: 'attribute'; readonly attribute: string };

/** Names and values that suggestions offer, from the loaded rows and from Temporal's list of types. */
export interface KnownValues {
  /** Names of search attributes. */
  readonly attributes: readonly string[];
  /** Values by attribute. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

const MOST = 10;

/** Times that the filter offers, with the words that find them. */
export const quickTimes = [
  { value: '-1h', words: 'last hour', label: 'Last hour' },
  { value: '-24h', words: 'last 24 hours', label: '24 h' },
  { value: '-7d', words: 'last 7 days', label: '7 d' },
  { value: 'today', words: 'today', label: 'Today' },
] as const;

const statuses = workflowStatus.options.filter((status) => status !== 'Unspecified');

const usual = [
  'ExecutionStatus',
  'WorkflowType',
  'WorkflowId',
  'StartTime',
  'CloseTime',
  'TaskQueue',
  'ExecutionDuration',
  'ParentWorkflowId',
  'RunId',
  'HistoryLength',
  'HistorySizeBytes',
  'TemporalReportedProblems',
];

/** Returns suggestions for the text in the filter field. Enter applies the first suggestion. */
export function suggestionsFor(text: string, known: KnownValues): Suggestion[] {
  const term = text.trim();
  if (term === '') return [...attributesLike('', known).slice(0, MOST - quickTimes.length), ...timesLike('')];
  if (!isWord(term)) {
    const query = parseQuery(term);
    return query.kind === 'conditions'
      ? query.conditions.map((condition) => ({ kind: 'condition', condition }))
      : [...timesLike(term), ...attributesLike(term, known)].slice(0, MOST);
  }
  // Statuses, attributes and times that begin with the word come before the search of ids and types by
  // prefix, unless the word is a single character.
  const named = [...statusesNamed(term), ...attributesNamed(term), ...timesLike(term)].filter(
    () => term.length > 1,
  );
  const others = [
    ...like(statuses, term).map((status) => add(comparison('ExecutionStatus', '=', [status]))),
    ...attributesLike(term, known),
    ...like(known.values.get('WorkflowType') ?? [], term).map((type) =>
      add(comparison('WorkflowType', '=', [type])),
    ),
  ].filter((other) => !named.some((first) => isSame(first, other)));
  return [...named, add(prefixCondition(term)), ...others].slice(0, MOST);
}

/**
 * Returns suggestions for an attribute's value. The prefix `!` means "is not". Never offers values that Temporal would
 * reject.
 */
export function valueSuggestions(attribute: string, text: string, known: KnownValues): Suggestion[] {
  const { sign, term } = signed(text);
  const value = valueOf(attribute, term);
  const values = valuesOf(attribute, term, known);
  const offered = values.filter((each) => each !== value);
  const typed = value === undefined ? [] : [value];
  // A prefix of a known value is unlikely to be a value itself.
  const isPart = !values.includes(term) && values.some((each) => begins(each, term));
  const all = isPart ? [...offered, ...typed] : [...typed, ...offered];
  return all.map((each) => add(comparisonWith(attribute, sign, each))).slice(0, MOST);
}

/** Returns why the text cannot be the attribute's value, or undefined if it is or may become a value. */
export function valueProblem(attribute: string, text: string, known: KnownValues): string | undefined {
  if (signed(text).term === '' || valueSuggestions(attribute, text, known).length > 0) return undefined;
  if (isTimeAttribute(attribute)) return 'Not a time. Write -24h, today or 2026-11-24T13:00:00Z.';
  if (attribute === 'ExecutionDuration') return 'Not a duration. Write 90s, 5m or 1h30m.';
  return numeric.has(attribute) ? 'Not a number.' : 'No status has this name.';
}

function signed(text: string): { readonly sign: string; readonly term: string } {
  const [, sign = '', term = ''] = /^\s*(!|>=|<=|>|<)?\s*(.*?)\s*$/su.exec(text) ?? [];
  return { sign, term };
}

function valuesOf(attribute: string, term: string, known: KnownValues): readonly string[] {
  if (isTimeAttribute(attribute)) return timesNamed(term).map(({ value }) => value);
  if (attribute === 'ExecutionStatus') return like(statuses, term);
  if (attribute === 'ExecutionDuration') return like(['1m', '1h', '24h'], term);
  return like(known.values.get(attribute) ?? [], term);
}

const timesNamed = (term: string) =>
  quickTimes.filter(({ value, words }) => begins(value, term) || words.includes(term.toLowerCase()));

const numeric: ReadonlySet<string> = new Set(['HistoryLength', 'HistorySizeBytes', 'StateTransitionCount']);

const duration = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+$|^\d+:\d\d:\d\d$|^\d+$/;
const date = /^\d{4}-\d\d-\d\d(?<time>T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?<zone>Z|[+-]\d\d:\d\d)?)?$/;

/** Returns the attribute value that the text stands for, or undefined if Temporal would reject it. */
function valueOf(attribute: string, term: string): string | undefined {
  if (term === '') return undefined;
  if (attribute === 'ExecutionStatus') return statuses.find((status) => status === term);
  if (attribute === 'ExecutionDuration') return duration.test(term) ? term : undefined;
  if (numeric.has(attribute)) return /^\d+$/.test(term) ? term : undefined;
  return isTimeAttribute(attribute) ? timeOf(term) : term;
}

function timeOf(term: string): string | undefined {
  if (isRelativeTime(term)) return term;
  if (isRelativeTime(`-${term}`)) return `-${term}`;
  const { groups } = date.exec(term) ?? {};
  if (groups === undefined) return undefined;
  const time = `${term}${groups['time'] === undefined ? 'T00:00:00Z' : groups['zone'] === undefined ? 'Z' : ''}`;
  return Number.isNaN(Date.parse(time)) ? undefined : time;
}

function comparisonWith(attribute: string, sign: string, text: string): Comparison {
  const value = numeric.has(attribute) ? { text, quoted: false } : textValue(text);
  if (sign === '!') return comparison(attribute, '!=', [value]);
  if (sign === '>' || sign === '>=' || sign === '<' || sign === '<=')
    return comparison(attribute, sign, [value]);
  if (numeric.has(attribute) || attribute === 'ExecutionDuration' || isTimeAttribute(attribute))
    return comparison(attribute, '>=', [value]);
  if (text.length > 1 && text.endsWith('*')) return comparison(attribute, 'STARTS_WITH', [text.slice(0, -1)]);
  return comparison(attribute, '=', [value]);
}

const add = (condition: Condition): Suggestion => ({ kind: 'condition', condition });

const isSame = (left: Suggestion, right: Suggestion) => JSON.stringify(left) === JSON.stringify(right);

/** Returns the statuses whose name, in the list or in Temporal, begins with the text. */
const statusesNamed = (term: string): Suggestion[] =>
  statuses
    .filter((status) => begins(status, term) || begins(outcomeText[outcomeOf(status)], term))
    .map((status) => add(comparison('ExecutionStatus', '=', [status])));

/**
 * Returns those of Temporal's attributes whose name contains a word that begins with the text. Omits search
 * attributes, because the text may be an id that begins like an attribute's name.
 */
const attributesNamed = (term: string): Suggestion[] =>
  usual
    .filter(
      (name) => begins(name, term) || attributeNames[name]?.split(' ').some((word) => begins(word, term)),
    )
    .map((attribute) => ({ kind: 'attribute', attribute }));

const timesLike = (term: string): Suggestion[] =>
  quickTimes
    .filter(({ words }) => begins(words, term))
    .map(({ value }) => add(comparison('StartTime', '>=', [value])));

function attributesLike(term: string, known: KnownValues): Suggestion[] {
  return like(attributes(known), term, (name) => `${attributeNames[name] ?? ''} ${name}`).map(
    (attribute) => ({ kind: 'attribute', attribute }),
  );
}

const attributes = (known: KnownValues) => [...new Set([...usual, ...known.attributes])];

const begins = (text: string, term: string) => text.toLowerCase().startsWith(term.toLowerCase());

const like = (values: readonly string[], term: string, textOf = (value: string) => value) =>
  values.filter((value) => textOf(value).toLowerCase().includes(term.toLowerCase()));
