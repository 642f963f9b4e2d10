import type { Vector, VectorRule } from '@temporal-kms/vectors/schema';
import { key } from '@temporal-kms/vectors/message';
import { attackerKey, READER, rules, WORKFLOW } from './corpus.ts';
import type { Random } from '@temporal-kms/testing/random';

export type Scope = Pick<Vector, 'keys' | 'codec' | 'context'>;

/** The messages' workflow ids, an empty id, and ids of workflows that a schedule started. */
const workflowIds = [
  WORKFLOW,
  WORKFLOW,
  'order-2',
  '',
  `${WORKFLOW}-2026-11-24T02:00:00Z`,
  '-2026-11-24T02:00:00Z',
];
const namespaces = [READER, 'shipping', 'archive'] as const;
const formats = rules.lenient.reads ?? [];
const keys = [key('shared'), key('payments'), key('payments-2025'), key('shipping'), attackerKey];

const some = <T>(items: readonly T[], random: Random) => items.filter(() => random.oneIn(2));

function anyRule(random: Random): VectorRule {
  const reads = some(formats, random);
  return {
    ...(random.oneIn(4) ? {} : { encrypt: random.pick(keys) }),
    decrypt: some(keys, random),
    ...(reads.length > 0 && { reads }),
    ...(reads.every((format) => format === 'envelope-v2') &&
      random.oneIn(4) && { workflowTag: 'require' as const }),
    plaintext: random.pick(['pass', 'report', 'refuse'] as const),
    unsafe: ['direct-with-envelope'],
    ...(random.oneIn(2) && { static: rules.lenient.static ?? {} }),
  };
}

/**
 * Returns a keys file and the context of a decode. The file contains one of the fuzzer's two rules, or random
 * rules.
 */
export function anyScope(random: Random): Scope {
  if (random.oneIn(3)) {
    const strictness = random.oneIn(2) ? 'strict' : 'lenient';
    const context = { namespace: READER, workflowId: WORKFLOW };
    return { keys: { namespaces: { [READER]: rules[strictness] } }, context };
  }
  const named = some(namespaces, random).map(
    (name) => [name, { ...anyRule(random), accepts: some(namespaces, random) }] as const,
  );
  return {
    keys: {
      namespaces: Object.fromEntries(named),
      ...((named.length === 0 || random.oneIn(2)) && { default: anyRule(random) }),
    },
    ...(random.oneIn(3) && { codec: { namespace: random.pick(namespaces) } }),
    ...(!random.oneIn(6) && {
      context: {
        namespace: random.pick(namespaces),
        ...(random.oneIn(2) && { workflowId: random.pick(workflowIds) }),
      },
    }),
  };
}

const characters = Array.from('\n :,{}[]\'"#|>?!%@`\\~\t\r\u0000\u0085\u00a0\u2028\ufeff😀é');
const layout = ['  ', ': ', '- ', ' #', '\r\n', '...', '\n...\n', '---\n', '?\n', ': \n'];
const pieces = ['&a ', '*a', '<<: ', 'no', '12:30', '__proto__', '0x1'];
const inserted = [...characters, ...layout, ...pieces, '\\u0061', '\\x41', '\\/', '\\e', '%20'];

/** Changes a keys file's text in one or more places. */
export function changedText(text: string, random: Random): string {
  let changed = text;
  for (let times = random.oneIn(3) ? 4 : 1; times > 0; times -= 1) {
    const at = random.below(changed.length + 1);
    const length = random.pick([0, 0, 0, 1, 1, 2, 5, 20]);
    const by = random.oneIn(4) ? '' : random.pick(inserted);
    changed = changed.slice(0, at) + by + changed.slice(at + length);
    if (random.oneIn(8)) changed = withLineMoved(changed, random);
  }
  return changed.isWellFormed() ? changed : text;
}

function withLineMoved(text: string, random: Random): string {
  const lines = text.split('\n');
  const [line = ''] = lines.splice(random.below(lines.length), random.below(2));
  lines.splice(random.below(lines.length + 1), 0, line);
  return lines.join('\n');
}
