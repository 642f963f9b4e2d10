import type { NamespaceRule, SealedFormat } from './key-rules.ts';

/** Risks that a rule may accept by name, in its field `unsafe`. */
export const unsafeSettings = ['direct-with-envelope'] as const;
export type UnsafeSetting = (typeof unsafeSettings)[number];

/** The formats whose data key Cloud KMS wraps as it encrypts a direct message: without additional authenticated data. */
const withUnboundDataKey: readonly SealedFormat[] = ['envelope', 'proxy'];

/** A rule that reads messages which anybody could forge who had 32 known bytes encrypted as a direct message. */
export interface MixedFormats {
  /** Absent: the default rule. */
  readonly namespace: string | undefined;
  readonly message: string;
}

/**
 * Finds the rules that read `envelope` or `proxy` under a crypto key under which `direct` is read as well, there or in
 * another namespace, and that do not accept this by name.
 */
export function findMixedFormats(
  namespaces: Iterable<readonly [string, NamespaceRule]>,
  byDefault: NamespaceRule | undefined,
): readonly MixedFormats[] {
  const rules: readonly (readonly [string | undefined, NamespaceRule])[] = [
    ...namespaces,
    ...(byDefault ? [[undefined, byDefault] as const] : []),
  ];
  const readingDirect = new Map<string, string | undefined>();
  for (const [namespace, rule] of rules) {
    if (!rule.reads?.includes('direct')) continue;
    for (const key of keysOf(rule)) readingDirect.set(key, namespace);
  }
  return rules.flatMap(([namespace, rule]) => {
    const format = withUnboundDataKey.find((one) => rule.reads?.includes(one));
    if (format === undefined || rule.unsafe?.includes('direct-with-envelope')) return [];
    const key = keysOf(rule).find((one) => readingDirect.has(one));
    if (key === undefined) return [];
    const itself = rule.reads?.includes('direct') && keysOf(rule).includes(key);
    const where = itself ? 'this rule' : whose(readingDirect.get(key));
    const message =
      `contains ${format}, but ${where} reads direct under the same key ${key}: a direct message of 32 bytes can be ` +
      'passed off as a data key, and messages forged with it. Use another key, or read one of the two formats, or ' +
      'accept the risk with unsafe: [direct-with-envelope]';
    return [{ namespace, message }];
  });
}

const whose = (namespace: string | undefined) =>
  namespace === undefined ? 'the default rule' : `the namespace ${namespace}`;

const keysOf = ({ encrypt, decrypt = [] }: NamespaceRule): readonly string[] =>
  encrypt === undefined ? decrypt : [encrypt, ...decrypt];
