import { escapeInvisible, type PayloadStub } from '@temporal-kms/codec-api';

/**
 * Names a payload by its path in the attributes: `input.payloads[0]` → `Input 0`, `details.data.payloads[0]` →
 * `Details data`, `failure.cause.encodedAttributes` → `Failure, cause 1`.
 */
export const payloadLabel = (path: string): string => escapeInvisible(labelOf(path));

function labelOf(path: string): string {
  const steps = [...path.matchAll(/\[("(?:[^"\\]|\\.)*")\]|\[(\d+)\]|([^.[\]]+)/g)].map(
    ([, quoted, position, name]) => (quoted ? unquoted(quoted) : (position ?? name ?? '')),
  );
  const index = /^\d+$/.test(steps.at(-1) ?? '') ? steps.at(-1) : undefined;
  const names = steps.filter((step) => !/^\d+$/.test(step) && !silent.has(step));
  if (names.includes('failure') || names.includes('lastFailure') || names.includes('encodedAttributes')) {
    return failureLabel(names);
  }
  const [first = path, ...rest] = names;
  const head = titles[first] ?? capital(spaced(first));
  const tail = rest.filter((name) => !(name in titles && titles[name] === head));
  const label = [head, ...tail].join(' ');
  const numbered = index !== undefined && (first === 'input' || path.includes('args'));
  return numbered ? `${label} ${index}` : label;
}

/** Path steps that reflect only the nesting of protos. */
const silent = new Set([
  'payloads',
  'fields',
  'acceptedRequest',
  'rejectedRequest',
  'request',
  'outcome',
  'userMetadata',
  'workflowExecutionInfo',
  'executionConfig',
]);

const titles: Readonly<Record<string, string>> = {
  args: 'Input',
  input: 'Input',
  success: 'Result',
  result: 'Result',
  lastCompletionResult: 'Last completion result',
  upsertedMemo: 'Memo',
  heartbeatDetails: 'Heartbeat',
  lastHeartbeatDetails: 'Heartbeat',
};

function failureLabel(names: readonly string[]): string {
  const causes = names.filter((name) => name === 'cause').length;
  const head = names.includes('lastFailure') ? 'Last failure' : 'Failure';
  const level = causes === 0 ? head : `${head}, cause ${causes}`;
  return names.includes('encodedAttributes') ? level : `${level}, details`;
}

const spaced = (name: string) =>
  name.replaceAll(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
const capital = (name: string) => name.charAt(0).toUpperCase() + name.slice(1);

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

/** Returns a payload's title. The first of several inputs has a number; a single input has none. */
export function payloadTitle(stub: PayloadStub, all: readonly PayloadStub[]): string {
  const label = payloadLabel(stub.path);
  const single =
    label.endsWith(' 0') && !all.some((other) => payloadLabel(other.path) === label.replace(/0$/, '1'));
  return single ? label.slice(0, -2) : label;
}
