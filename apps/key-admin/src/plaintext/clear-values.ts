import { type Payload, writeMessage } from '@temporal-kms/histories/payloads';
import { bodyOf } from '@temporal-kms/histories/readable';
import { utf8Text } from '@temporal-kms/histories/bytes';
import { messageKey } from '@temporal-kms/kms-codec';

/** The kinds of fields where Temporal shows values in plaintext. */
export const fieldKinds = [
  'workflow id',
  'activity id',
  'schedule id',
  'task queue',
  'search attribute',
  'memo key',
  'header',
  'failure message',
  'failure type',
  'name',
  'reason or note',
  'payload',
  'other field',
] as const;
export type FieldKind = (typeof fieldKinds)[number];

/** A value that is visible in plaintext to everyone who can read the message. */
export interface ClearValue {
  readonly kind: FieldKind;
  /** Names of the fields and map keys that contain the text, outermost first. */
  readonly path: readonly string[];
  readonly text: string;
}

/**
 * Returns each unencrypted value in a message: fields, keys of maps, search attributes, and headers, which SDKs never
 * encrypt.
 * @param typeName full name of the message's type
 * @param withPayloads whether to include payloads that SDKs encrypt but that are in plaintext in this message
 */
export function clearValues(typeName: string, message: object, withPayloads = false): ClearValue[] {
  const json = writeMessage(typeName, message, ({ payload, encryptable }) =>
    encryptable && !withPayloads ? undefined : new Content(payload, encryptable),
  );
  const values: ClearValue[] = [];
  walk(json, [], values);
  return values;
}

/** Stands for a payload in the JSON of its message. */
class Content {
  readonly payload: Payload;
  readonly encryptable: boolean;

  constructor(payload: Payload, encryptable: boolean) {
    this.payload = payload;
    this.encryptable = encryptable;
  }
}

function walk(value: unknown, path: readonly string[], values: ClearValue[]): void {
  if (typeof value === 'string') {
    values.push({ kind: kindOf(path), path, text: value });
  } else if (typeof value === 'number') {
    // A card number in a search attribute may be a JSON number.
    values.push({ kind: kindOf(path), path, text: String(value) });
  } else if (Array.isArray(value)) {
    for (const item of value) walk(item, path, values);
  } else if (value instanceof Content) {
    walkContent(value, path, values);
  } else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      if (isMap(path)) values.push({ kind: kindOf(path), path, text: key });
      walk(inner, [...path, key], values);
    }
  }
}

function walkContent({ payload, encryptable }: Content, path: readonly string[], values: ClearValue[]): void {
  if (messageKey(payload).format !== 'plain') return;
  const { data, encoding } = bodyOf(payload);
  const text = utf8Text(data);
  if (text === undefined || text === '') return;
  const kind = encryptable ? 'payload' : kindOf(path);
  for (const part of encoding.startsWith('json/') ? stringsIn(text) : [text])
    values.push({ kind, path, text: part });
}

/**
 * Returns the keys, strings and numbers in a JSON text, without escapes that could hide a value. Returns other text
 * unchanged.
 */
function stringsIn(text: string): string[] {
  const found: string[] = [];
  try {
    JSON.parse(text, (key: string, value: unknown) => {
      if (key !== '' && !/^\d+$/.test(key)) found.push(key);
      if (typeof value === 'string' || typeof value === 'number') found.push(String(value));
      return value;
    });
  } catch {
    return [text];
  }
  return found;
}

/** Names of the fields that are maps with keys that a program chooses. */
const maps: ReadonlySet<string> = new Set(['fields', 'indexedFields', 'nexusHeader', 'details']);
const isMap = (path: readonly string[]): boolean => maps.has(path.at(-1) ?? '');

/**
 * Kinds of fields, each with a pattern for the field's path. The first matching pattern determines the kind.
 */
const kinds: readonly (readonly [RegExp, FieldKind])[] = [
  [/(^|\.)(indexedFields|searchAttributes)(\.|$)/, 'search attribute'],
  [/(^|\.)(memo|upsertedMemo)\.fields(\.|$)/, 'memo key'],
  [/(^|\.)(header|nexusHeader)(\.|$)/, 'header'],
  [/[fF]ailure\.(?:.*\.)?(message|stackTrace)$|^cause$/, 'failure message'],
  [/[fF]ailure\.(?:.*\.)?(type|source)$|nonRetryableErrorTypes$/, 'failure type'],
  [/(^|\.)(\w*[wW]orkflowId|baseWorkflowId)$/, 'workflow id'],
  [/(^|\.)(activityId|timerId)$/, 'activity id'],
  [/(^|\.)scheduleId$/, 'schedule id'],
  [/(^|\.)(taskQueue|stickyTaskQueue)(\.|$)/, 'task queue'],
  [/(^|\.)(reason|note|notes|details|summary)$/, 'reason or note'],
  [/(^|\.)(\w*[nN]ame|operation|service|endpoint)$/, 'name'],
];

function kindOf(path: readonly string[]): FieldKind {
  const joined = path.join('.');
  return kinds.find(([expression]) => expression.test(joined))?.[1] ?? 'other field';
}
