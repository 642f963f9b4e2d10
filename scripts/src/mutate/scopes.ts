/** What `pnpm mutate` changes, and the tests that must notice. */
export interface Scope {
  /** Files and folders whose code is mutated. */
  readonly sources: readonly string[];
  /** The package whose tests run. */
  readonly suite: string;
  /**
   * Test files of the package, the fastest first, because the first failure ends a mutant's run. Only tests
   * that start no process and take seconds.
   */
  readonly tests: readonly string[];
}

const codec = 'packages/kms-codec';
const codecTests = [
  'wycheproof',
  'message-header',
  'message-key',
  'branch-keys/entry',
  'layers',
  'commitment',
  'rules',
  'format-separation',
  'payload',
  'ill-typed',
  'acceptance',
  'failure-placeholder',
  'branch-keys/derivation',
  'branch-keys/attacks',
  'branch-keys/vectors',
  'encrypting',
  'vectors',
];

export const scopes = {
  crypto: { sources: [`${codec}/src/crypto`], suite: codec, tests: codecTests },
  formats: { sources: [`${codec}/src/formats`], suite: codec, tests: codecTests },
} as const satisfies Readonly<Record<string, Scope>>;

export function scopeNamed(name: string | undefined): Scope {
  const scope = Object.entries<Scope>(scopes).find(([known]) => known === name)?.[1];
  if (!scope) throw new Error(`${name} is none of the scopes ${Object.keys(scopes).join(', ')}.`);
  return scope;
}
