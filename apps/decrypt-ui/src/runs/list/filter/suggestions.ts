import { workflowStatus } from '@temporal-kms/codec-api';
import { attributeNames } from './condition-words.ts';
import {
  comparison,
  type Comparison,
  type Condition,
  isRelativeTime,
  isWord,
  parseQuery,
  prefixCondition,
  textValue,
} from './visibility-query.ts';

/** What a suggestion does: it adds a condition, or it asks for the value of an attribute. */
export type Suggestion =
  | { readonly kind: 'condition'; readonly condition: Condition }
  | { readonly kind: 'attribute'; readonly attribute: string };

/** Names and values in the loaded rows, which suggestions offer. */
export interface KnownValues {
  /** Names of search attributes. */
  readonly attributes: readonly string[];
  /** Values by attribute. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

const MOST = 10;

const times = ['-1h', '-24h', '-7d', 'today'];
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

/** Suggestions for a text in the filter field; the first is what Enter does. */
export function suggestionsFor(text: string, known: KnownValues): Suggestion[] {
  const term = text.trim();
  if (term === '') return attributesLike('', known).slice(0, MOST);
  if (!isWord(term)) {
    const query = parseQuery(term);
    return query.kind === 'conditions'
      ? query.conditions.map((condition) => ({ kind: 'condition', condition }))
      : attributesLike(term, known).slice(0, MOST);
  }
  return [
    add(prefixCondition(term)),
    ...like(statuses, term).map((status) => add(comparison('ExecutionStatus', '=', [status]))),
    ...attributesLike(term, known),
    ...like(known.values.get('WorkflowType') ?? [], term).map((type) =>
      add(comparison('WorkflowType', '=', [type])),
    ),
  ].slice(0, MOST);
}

/** Suggestions for the value of an attribute. `!` in front means that the attribute has another value. */
export function valueSuggestions(attribute: string, text: string, known: KnownValues): Suggestion[] {
  const [, sign = '', term = ''] = /^\s*(!|>=|<=|>|<)?\s*(.*?)\s*$/su.exec(text) ?? [];
  const typed = term === '' ? [] : [typedComparison(attribute, sign, term)];
  const offered = like(valuesOf(attribute, known), term)
    .filter((value) => value !== term)
    .map((value) => typedComparison(attribute, sign, value));
  // A status is one of a few words, so that what was typed is only their beginning.
  const list = attribute === 'ExecutionStatus' && offered.length > 0 ? offered : [...typed, ...offered];
  return list.map(add).slice(0, MOST);
}

function valuesOf(attribute: string, known: KnownValues): readonly string[] {
  if (attribute === 'ExecutionStatus') return statuses;
  if (attribute.endsWith('Time')) return times;
  if (attribute === 'ExecutionDuration') return ['1m', '1h', '24h'];
  return known.values.get(attribute) ?? [];
}

const numeric: ReadonlySet<string> = new Set(['HistoryLength', 'HistorySizeBytes', 'StateTransitionCount']);

function typedComparison(attribute: string, sign: string, term: string): Comparison {
  const value =
    numeric.has(attribute) && /^\d+$/.test(term) ? { text: term, quoted: false } : textValue(term);
  if (sign === '!') return comparison(attribute, '!=', [value]);
  if (sign === '>' || sign === '>=' || sign === '<' || sign === '<=')
    return comparison(attribute, sign, [value]);
  const isMeasured = numeric.has(attribute) || attribute === 'ExecutionDuration';
  if (isMeasured || attribute.endsWith('Time') || isRelativeTime(term))
    return comparison(attribute, '>=', [value]);
  if (term.length > 1 && term.endsWith('*')) return comparison(attribute, 'STARTS_WITH', [term.slice(0, -1)]);
  return comparison(attribute, '=', [value]);
}

const add = (condition: Condition): Suggestion => ({ kind: 'condition', condition });

function attributesLike(term: string, known: KnownValues): Suggestion[] {
  const all = [...new Set([...usual, ...known.attributes])];
  const wanted = term.toLowerCase();
  return all
    .filter((name) => `${attributeNames[name] ?? ''} ${name}`.toLowerCase().includes(wanted))
    .map((attribute) => ({ kind: 'attribute', attribute }));
}

const like = (values: readonly string[], term: string) =>
  values.filter((value) => value.toLowerCase().includes(term.toLowerCase()));
