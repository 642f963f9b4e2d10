import type { WorkflowSummary } from '@temporal-kms/codec-api';
import { csvOf } from '../../ui/format/csv.ts';
import { saveFile } from '../../ui/save-file.ts';

/**
 * Makes the browser save the loaded rows as a file. The file contains the list's metadata, but no payloads.
 */
export function exportRows(
  namespace: string,
  query: string,
  rows: readonly WorkflowSummary[],
  form: 'json' | 'csv',
): void {
  const text = form === 'json' ? jsonOf(namespace, query, rows) : csvOfRows(rows);
  const type = form === 'json' ? 'application/json' : 'text/csv';
  saveFile(['workflows', namespace, form], text, type);
}

const jsonOf = (namespace: string, query: string, workflows: readonly WorkflowSummary[]) =>
  `${JSON.stringify({ namespace, query, workflows }, null, 2)}\n`;

const fields = [
  'workflowId',
  'runId',
  'type',
  'status',
  'taskQueue',
  'startTime',
  'closeTime',
  'historyLength',
  'historySizeBytes',
] as const;

/** Returns the rows as CSV (RFC 4180), with a column for each search attribute. */
export function csvOfRows(rows: readonly WorkflowSummary[]): string {
  const attributes = [...new Set(rows.flatMap((row) => Object.keys(row.searchAttributes)))].toSorted();
  const lines = rows.map((row) => [
    ...fields.map((field) => row[field] ?? ''),
    ...attributes.map((name) => textOf(row.searchAttributes[name])),
  ]);
  return csvOf([[...fields, ...attributes], ...lines]);
}

const textOf = (value: unknown): string | number =>
  value === undefined
    ? ''
    : typeof value === 'string' || typeof value === 'number'
      ? value
      : JSON.stringify(value);
