/** The code that `pnpm mutate` changes, and the tests that must detect the changes. */
export interface Scope {
  /** Files and folders whose code is mutated. */
  readonly sources: readonly string[];
  /** Files in `sources` that another scope mutates. */
  readonly except?: readonly string[];
  /** Test files, fastest first, because the first failure ends the run of a mutant. */
  readonly tests: readonly string[];
}

const testsOf = (folder: string, names: readonly string[]) =>
  names.map((name) => `${folder}/test/${name}.test.ts`);

const codecTests = testsOf('packages/kms-codec', [
  'wycheproof',
  'wiping',
  'message-header',
  'message-key',
  'random',
  'branch-keys/dated-key',
  'branch-keys/entry',
  'layers',
  'commitment',
  'rules',
  'format-separation',
  'payload',
  'ill-typed',
  'acceptance',
  'call-options',
  'failure-placeholder',
  'kms-calls',
  'ciphertext-only',
  'branch-keys/derivation',
  'branch-keys/attacks',
  'branch-keys/vectors',
  'encrypting',
  'shortcuts',
  'vectors',
]);

/** The scope of the branch keys contains the tests of these files. */
const branchKeyFiles = ['shared-branch-keys', 'branch-key-reader'].map(
  (name) => `packages/kms-codec/src/keys/${name}.ts`,
);

export const scopes = {
  crypto: { sources: ['packages/kms-codec/src/crypto'], tests: codecTests },
  formats: { sources: ['packages/kms-codec/src/formats'], tests: codecTests },
  keys: {
    sources: ['packages/kms-codec/src/keys'],
    except: branchKeyFiles,
    tests: testsOf('packages/kms-codec', [
      'limits',
      'kms-errors',
      'watched-key-service',
      'cloud-kms-responses',
      'cloud-kms-attempts',
      'google-client',
      'single-flight',
      'scope-key',
      'decryption-keys',
      'version-refusals',
      'clock',
      'refused-keys',
      'current-key',
      'encryption-slot',
      'encryption-keys',
      'wiping',
      'testing',
      'errors',
      'rules',
      'config/keys-file',
      'format-separation',
      'observer',
      'key-version-access',
      'key-state',
      'kms-calls',
      'bounded-calls',
      'data-keys',
      'cached-keys',
      'encrypting',
      'revalidation',
      'metrics',
      ...['derivation', 'attacks', 'sharing', 'rotation'].map((name) => `branch-keys/${name}`),
      'cloud-kms',
      'token-refusals',
      'revalidation-outages',
    ]),
  },
  'branch-keys': {
    sources: ['packages/kms-codec/src/branch-keys', ...branchKeyFiles],
    tests: testsOf('packages/kms-codec', [
      ...[
        'dated-key',
        'setting',
        'entry',
        'shared-branch-keys',
        'reader',
        'file-store',
        'gcs-store',
        'guarded-store',
        'denied',
        'vectors',
        'attacks',
      ].map((name) => `branch-keys/${name}`),
      'key-state',
      ...[
        'derivation',
        'refusals',
        'stores',
        'gcs',
        'sharing',
        'store-failures',
        'rotation',
        'rotation-outages',
      ].map((name) => `branch-keys/${name}`),
    ]),
  },
  access: {
    sources: ['apps/codec-server/src/access'],
    tests: testsOf(
      'apps/codec-server',
      [
        'access',
        'credentials',
        'tokens',
        'refusal-reasons',
        'token-kind',
        'policy',
        'grants',
        'policy-file',
        'policy-access',
        'issuer-keys',
        'hostile-issuer',
        'provider',
      ].map((name) => `access/${name}`),
    ),
  },
  verdict: {
    sources: ['apps/key-admin/src/destroy/verdict.ts'],
    tests: testsOf('apps/key-admin', ['destroy/answer', 'destroy/verdict', 'destroy/coverage']),
  },
  audit: {
    sources: ['packages/audit/src'],
    tests: [
      ...testsOf('packages/audit', [
        'chain',
        'file-end',
        'verify',
        'verify-short-lines',
        'line-queue',
        'denials',
        'open-audit',
      ]),
      ...testsOf(
        'apps/codec-server',
        ['audit', 'verify', 'audit-file', 'audit-lock', 'read-audit', 'answered'].map(
          (name) => `audit/${name}`,
        ),
      ),
    ],
  },
} as const satisfies Readonly<Record<string, Scope>>;

export function scopeNamed(name: string | undefined): Scope {
  const scope = Object.entries<Scope>(scopes).find(([known]) => known === name)?.[1];
  if (!scope)
    throw new Error(`There is no scope ${name}. The scopes are: ${Object.keys(scopes).join(', ')}.`);
  return scope;
}
