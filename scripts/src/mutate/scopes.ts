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
  'crypto/wycheproof',
  'crypto/wiping',
  'formats/message-header',
  'formats/message-key',
  'crypto/random',
  'branch-keys/dated-key',
  'branch-keys/entry',
  'formats/layers',
  'formats/commitment',
  'keys/rules',
  'formats/format-separation',
  'formats/payload',
  'ill-typed',
  'acceptance',
  'call-options',
  'formats/failure-placeholder',
  'kms-calls',
  'ciphertext-only',
  'branch-keys/derivation',
  'branch-keys/attacks',
  'branch-keys/vectors',
  'keys/encrypting',
  'formats/shortcuts',
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
      'keys/limits',
      'keys/kms-errors',
      'keys/watched-key-service',
      'keys/cloud-kms-responses',
      'keys/cloud-kms-attempts',
      'keys/google-client',
      'keys/single-flight',
      'keys/scope-key',
      'keys/usability',
      'keys/decryption-keys',
      'keys/version-refusals',
      'keys/clock',
      'keys/refused-keys',
      'keys/current-key',
      'keys/encryption-slot',
      'keys/encryption-keys',
      'crypto/wiping',
      'testing',
      'errors',
      'keys/rules',
      'config/keys-file',
      'formats/format-separation',
      'observer',
      'keys/key-version-access',
      'keys/key-state',
      'kms-calls',
      'keys/bounded-calls',
      'keys/data-keys',
      'keys/cached-keys',
      'keys/encrypting',
      'keys/revalidation',
      'metrics',
      ...['derivation', 'attacks', 'sharing', 'rotation'].map((name) => `branch-keys/${name}`),
      'keys/cloud-kms',
      'keys/token-refusals',
      'keys/revalidation-outages',
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
      'keys/key-state',
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
