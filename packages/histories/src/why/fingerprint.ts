import { escapeInvisible } from '@temporal-kms/codec-api';
import type { StackFrame } from '../failures/stack-trace.ts';
import type { Cause } from './facts/cause.ts';
import { messageShape } from './message-shape.ts';

/**
 * The version of the algorithm. Increase this version with every change that may give the same failure
 * another id. Groups with different versions are never merged.
 */
export const FINGERPRINT_VERSION = 5;

/** The parts that failures in the same group have in common. */
export interface FingerprintParts {
  /** The application's error type. */
  readonly type: string;
  /**
   * The innermost activity, child or Nexus operation that failed, such as `activity charge`, or the workflow
   * if its own code failed, such as `workflow order`. Empty if the workflow's type is not known.
   */
  readonly place: string;
  /**
   * The application's functions and files without line numbers, innermost first. Empty while the stack trace
   * is locked.
   */
  readonly frames: readonly string[];
  /** The message without the parts that differ from run to run. Absent while the message is locked. */
  readonly shape?: string | undefined;
}

/** The parts can contain text from the message, so show them only to people who may read the message. */
export interface Fingerprint {
  /** The id: the version, a hyphen, and 16 hexadecimal digits. */
  readonly id: string;
  readonly version: number;
  readonly parts: FingerprintParts;
}

/**
 * Number of innermost frames that are compared. Frames further out differ between call paths to the same
 * fault.
 */
const MAX_FRAMES = 3;

/** Number of characters of a name that are compared. Temporal does not limit the names in failures. */
const MAX_NAME = 200;

/** Number of characters of a message's shape that are compared. */
const MAX_SHAPE = 2_000;

/**
 * Returns the fingerprint of a cause. While payloads are locked, the fingerprint consists of type and place
 * only, so groups are larger.
 *
 * @example
 * fingerprint(cause, 'order').id; // '5-9e3779b97f4a7c15'
 */
export function fingerprint(
  cause: Pick<Cause, 'type' | 'timeout' | 'places' | 'frames' | 'message'>,
  workflowType: string | undefined,
): Fingerprint {
  const { message } = cause;
  const parts: FingerprintParts = {
    type: cut(cause.timeout === undefined ? cause.type : `${cause.type}: ${cause.timeout}`),
    place: cut(placeOf(cause, workflowType)),
    frames: framesOf(cause.frames),
    shape: message.status === 'readable' ? messageShape(message.text).slice(0, MAX_SHAPE) : undefined,
  };
  return { id: `${FINGERPRINT_VERSION}-${hash(JSON.stringify(parts))}`, version: FINGERPRINT_VERSION, parts };
}

const cut = (name: string): string => name.slice(0, MAX_NAME);

function placeOf({ places }: Pick<Cause, 'places'>, workflowType: string | undefined): string {
  const inner = places.at(-1);
  // A failure alone does not show whether the activity was local.
  if (inner !== undefined) return `${inner.kind === 'local' ? 'activity' : inner.kind} ${inner.name}`;
  return workflowType ? `workflow ${escapeInvisible(workflowType)}` : '';
}

function framesOf(frames: readonly StackFrame[]): string[] {
  const names = frames.map(({ call, place }) => cut(`${functionOf(call)} (${fileOf(place)})`));
  // A recursion of any depth counts as one frame.
  return names.filter((name, index) => name !== names[index - 1]).slice(0, MAX_FRAMES);
}

/**
 * Removes the parts that change with builds and arguments, such as addresses, line numbers, and the numbers
 * of closures and of generated classes.
 */
const functionOf = (call: string): string =>
  call
    // Java includes the class loader: `app//shop.Ledger.post`.
    .replace(/^async |^[\w.]*\/\//, '')
    .replace(/\(.*\)$/, '')
    .replaceAll(/\.func\d+(?:\.\d+)*/g, '.func')
    // .NET: `Capture.<RunAsync>d__5.MoveNext` and `Capture.<>c__DisplayClass3_0.<Run>b__0`.
    .replaceAll(/(?<=[a-z]__(?:DisplayClass)?)\d+(?:_\d+)*/g, '')
    // Java: `Capture$$Lambda/0x7f.run`, and `Ledger$$EnhancerBySpringCGLIB$$1a2b3c.post` of a proxy.
    .replaceAll(/\$\d+|\$\$Lambda.*$|\$\$[\w$]+(?=\.)/g, '');

/**
 * Returns the file's name without its folder, line number and bundler hash: `capture.3f9a1c2d.js` becomes
 * `capture.js`.
 */
const fileOf = (place: string): string =>
  (
    place
      .replace(/(?::\d+){1,2}$/, '')
      .split(/[\\/]/)
      .at(-1) ?? ''
  )
    .replaceAll(/[.-](?=[\da-f]*\d)[\da-f]{8,64}(?=\.)/gi, '')
    .replaceAll(/[.-]v?\d+(?:\.\d+)+(?=\.)/g, '');

/**
 * Returns the 64-bit FNV-1a hash (https://www.ietf.org/archive/id/draft-eastlake-fnv-35.html), which a web
 * page can compute without a crypto library.
 */
function hash(text: string): string {
  let value = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    value = BigInt.asUintN(64, (value ^ BigInt(byte)) * 0x100000001b3n);
  }
  return value.toString(16).padStart(16, '0');
}

/**
 * Returns a line for each part that all failures in a group have in common.
 *
 * @example
 * whyOneGroup(fingerprint(cause, type).parts); // ['the same type: CardDeclined', 'the same place: activity charge', …]
 */
export const whyOneGroup = ({ type, place, frames, shape }: FingerprintParts): readonly string[] => [
  `the same type: ${type}`,
  `the same place: ${place || 'workflow code'}`,
  `the same frames: ${frames.join(' ← ') || 'none'}`,
  `the same message: ${shape ?? 'locked'}`,
];
