import { escapeInvisible, workflowStatus } from '@temporal-kms/codec-api';
import { outcomeOf, outcomeText } from '../outcome.ts';
import { type Comparison, type Condition, isTimeAttribute } from './visibility-query.ts';

/** The list's names for Temporal's own attributes. Other attributes keep their names. */
export const attributeNames: Readonly<Record<string, string>> = {
  ExecutionStatus: 'Status',
  WorkflowId: 'Workflow id',
  WorkflowType: 'Type',
  TaskQueue: 'Task queue',
  StartTime: 'Started',
  CloseTime: 'Closed',
  ExecutionDuration: 'Duration',
  HistoryLength: 'Events',
  HistorySizeBytes: 'Size',
  RunId: 'Run id',
  ParentWorkflowId: 'Parent',
  RootWorkflowId: 'Root',
  BuildIds: 'Build ids',
  TemporalReportedProblems: 'Reported problems',
};

/** A condition in words: `Started` `within the last` `24 h`. Invisible characters are escaped. */
interface ConditionWords {
  readonly name: string;
  readonly operator: string;
  readonly value: string;
}

export function conditionWords(condition: Condition): ConditionWords {
  if (condition.kind === 'text') return { name: '', operator: '', value: escapeInvisible(condition.text) };
  if (condition.kind === 'comparison') return comparisonWords(condition);
  const [first] = condition.of;
  const prefix = prefixOf(condition.of);
  if (prefix !== undefined) return { name: 'Id or type', operator: 'begins with', value: prefix };
  const all = condition.of.map(comparisonWords);
  const [words] = all;
  if (first && words && condition.of.every((other) => sameSubject(first, other))) {
    return { ...words, value: all.map(({ value }) => value).join(' or ') };
  }
  const [head, ...rest] = all;
  const others = rest.map(
    ({ name, operator, value }) => `or ${[name, operator, value].filter(Boolean).join(' ')}`,
  );
  return {
    name: head?.name ?? '',
    operator: head?.operator ?? '',
    value: [head?.value, ...others].filter(Boolean).join(' '),
  };
}

const sameSubject = (left: Comparison, right: Comparison) =>
  left.attribute === right.attribute && left.operator === right.operator;

/** Returns the prefix if the comparisons search ids and types by prefix. */
function prefixOf([id, type, ...more]: readonly Comparison[]): string | undefined {
  if (more.length > 0 || id?.attribute !== 'WorkflowId' || type?.attribute !== 'WorkflowType')
    return undefined;
  if (id.operator !== 'STARTS_WITH' || type.operator !== 'STARTS_WITH') return undefined;
  const [text] = id.values;
  return text !== undefined && text.text === type.values[0]?.text ? escapeInvisible(text.text) : undefined;
}

function comparisonWords({ attribute, operator, values }: Comparison): ConditionWords {
  const name = attributeNames[attribute] ?? escapeInvisible(attribute);
  const shown = values.map(({ text }) => escapeInvisible(valueWords(attribute, text)));
  const [value = ''] = shown;
  switch (operator) {
    case 'IN':
      return { name, operator: 'is', value: shown.join(' or ') };
    case 'NOT IN':
      return { name, operator: 'is not', value: shown.join(' or ') };
    case 'BETWEEN':
      return { name, operator: 'between', value: shown.join(' and ') };
    case 'IS NULL':
      return { name, operator: 'is missing', value: '' };
    case 'IS NOT NULL':
      return { name, operator: 'exists', value: '' };
    default:
      return {
        name,
        ...timeWords(attribute, operator, value),
        ...(plain[operator] && { operator: plain[operator] }),
      };
  }
}

const plain: Readonly<Record<string, string>> = {
  '=': 'is',
  '!=': 'is not',
  STARTS_WITH: 'begins with',
  'NOT STARTS_WITH': 'does not begin with',
};

function timeWords(attribute: string, operator: string, value: string): { operator: string; value: string } {
  if (!isTimeAttribute(attribute)) return { operator, value };
  const isLower = operator === '>' || operator === '>=';
  if (value === 'today') return { operator: isLower ? '' : 'before', value: 'today' };
  const [, count, unit] = /^-(\d+)([smhdw])$/.exec(value) ?? [];
  if (count !== undefined && unit !== undefined) {
    return {
      operator: isLower ? 'within the last' : 'before the last',
      value: `${count} ${unit === 'm' ? 'min' : unit}`,
    };
  }
  return { operator: isLower ? 'after' : 'before', value };
}

function valueWords(attribute: string, value: string): string {
  if (attribute !== 'ExecutionStatus') return value;
  const status = workflowStatus.safeParse(value);
  return status.success ? outcomeText[outcomeOf(status.data)] : value;
}
