import { isRecord } from '@temporal-kms/node-utils/is-record';
import { checkId, type EventEncoding, eventIn, type FileWorkflow } from './file-workflow.ts';
import { JsonCursor } from '../json/json-cursor.ts';
import { HistoryFileError } from '../history-file-error.ts';

/** A history that was found in the file. */
interface Found {
  readonly events: string[];
  /** The string members alongside `events`: in the codec server's readable export, the namespace and the run's ids. */
  readonly names: Map<string, string>;
}

/**
 * Maximum number of nested objects and arrays around a history, as in
 * `{"items":[{"history":{"events":[…]}}]}`.
 */
const MAX_DEPTH = 8;

/** The beginning of the last line of a codec server export that ended early. */
const TRUNCATED = '{"$truncated":';

/**
 * Reads histories in JSON: `{"events": […]}`, `{"history": {"events": […]}}`, a list of events, one event per
 * line, or a list of histories.
 *
 * @throws HistoryFileError
 */
export function readJson(text: string): FileWorkflow[] {
  const tail = text.slice(-1_024);
  if (tail.includes(`\n${TRUNCATED}`))
    throw new HistoryFileError('cut_off', 'The file is an export that ended early: export the run again.');
  const cursor = new JsonCursor(text);
  const found: Found[] = [];
  // Events outside a history object, from a file that is a list of events or has one event per line.
  const loose: string[] = [];
  while (cursor.peek() !== '') readNode(cursor, found, loose, 0);
  if (loose.length > 0) found.push({ events: loose, names: new Map() });
  return found.filter(({ events }) => events.length > 0).map(workflowOf);
}

function readNode(cursor: JsonCursor, found: Found[], loose: string[], depth: number): void {
  if (depth > MAX_DEPTH) throw new HistoryFileError('not_a_history', 'The file is not a workflow history.');
  const next = cursor.peek();
  if (next === '[') cursor.array(() => readNode(cursor, found, loose, depth + 1));
  else if (next === '{') readObject(cursor, found, loose, depth);
  else cursor.value();
}

function readObject(cursor: JsonCursor, found: Found[], loose: string[], depth: number): void {
  const start = cursor.at;
  const names = new Map<string, string>();
  let events: string[] | undefined;
  let isEvent = false;
  cursor.object((key) => {
    const next = cursor.peek();
    if (key === 'events' && next === '[') {
      const list: string[] = [];
      cursor.array(() => void list.push(cursor.value()));
      events = list;
    } else if ((key === 'history' && next === '{') || (key === 'items' && next === '[')) {
      readNode(cursor, found, loose, depth + 1);
    } else {
      if (key === 'eventId' || key === 'event_id') isEvent = true;
      const value = cursor.value();
      if (next === '"' && value.length < 10_000) names.set(key, value);
    }
  });
  if (events !== undefined) found.push({ events, names });
  else if (isEvent) loose.push(cursor.text.slice(start, cursor.at));
}

function workflowOf({ events, names }: Found): FileWorkflow {
  checkIds(events);
  const started = startOf(events[0] ?? '');
  const workflowId = nameIn(names, 'workflowId');
  const runId = nameIn(names, 'runId');
  // Only the readable export has these three members alongside `events`.
  const isReadable = workflowId !== undefined && runId !== undefined && names.has('namespace');
  const encoding: EventEncoding = isReadable ? 'readable' : 'json';
  return {
    encoding,
    ...started,
    workflowId: workflowId ?? started.workflowId,
    runId: runId ?? started.runId,
    length: events.length,
    event: (eventId) => eventIn(events, eventId),
  };
}

function nameIn(names: ReadonlyMap<string, string>, key: string): string | undefined {
  const text = names.get(key);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = `The file is not valid JSON: the value of ${key} is not a valid string.`;
    throw new HistoryFileError('not_a_history', message, { cause: error });
  }
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function checkIds(events: readonly string[]): void {
  for (const [index, text] of events.entries()) {
    const event = parseEvent(text, index + 1);
    checkId(Number(scalar(event['eventId'] ?? event['event_id'])), index + 1);
  }
}

/**
 * Returns undefined for an object, because `String` would throw if the object's `toString` is not a function.
 */
const scalar = (value: unknown): unknown => (typeof value === 'object' ? undefined : value);

function parseEvent(text: string, place: number): Record<string, unknown> {
  let event: unknown;
  try {
    event = JSON.parse(text);
  } catch (error) {
    throw new HistoryFileError('malformed', `Event ${place} in the file is not valid JSON.`, {
      cause: error,
    });
  }
  if (isRecord(event)) return event;
  throw new HistoryFileError('malformed', `Event ${place} in the file is not a JSON object.`);
}

type Start = Pick<FileWorkflow, 'workflowId' | 'runId' | 'type' | 'startedAt'>;

/** Returns the fields of the first event that describe the run. */
function startOf(text: string): Start {
  const event = parseEvent(text, 1);
  const attributes =
    event['workflowExecutionStartedEventAttributes'] ?? event['workflow_execution_started_event_attributes'];
  const startedAt = Date.parse(String(scalar(event['eventTime'] ?? event['event_time'])));
  return {
    workflowId: textAt(attributes, 'workflowId'),
    runId: textAt(attributes, 'originalExecutionRunId'),
    type: textAt(isRecord(attributes) ? attributes['workflowType'] : undefined, 'name'),
    startedAt: Number.isNaN(startedAt) ? undefined : startedAt,
  };
}

function textAt(value: unknown, key: string): string | undefined {
  const text = isRecord(value) ? value[key] : undefined;
  return typeof text === 'string' && text !== '' ? text : undefined;
}
