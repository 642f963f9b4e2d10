/**
 * Sign-in for `pnpm dev` (`DEV_AUTH=1`). This file contains the sample people, their permissions, and the
 * task `sign-in:dev`, which runs the identity provider.
 */
import { writeFile } from 'node:fs/promises';
import { type Person, startIdentityProvider } from '../identity-provider.ts';
import { required, requiredPort } from './environment.ts';

/** The namespace of `pnpm dev` that reveals payloads on demand. No worker polls this namespace. */
export const ON_DEMAND_NAMESPACE = 'payments';

/**
 * The namespace of `pnpm dev` with the orders of a shop. `dev:shop` runs the workers for the orders, which
 * end when the orders are complete.
 */
export const SHOP_NAMESPACE = 'shop';

const AUDIENCE = 'https://codec.dev.example';
const CLIENT = 'decrypt-ui';

interface SamplePerson extends Person {
  /** Rules of the policy file: namespaces and permissions. */
  readonly rules: readonly (readonly [namespaces: string, permissions: string])[];
}

const person = (id: string, name: string, about: string, rules: SamplePerson['rules']): SamplePerson => ({
  id,
  name,
  email: `${id}@example.com`,
  groups: [id],
  about,
  rules,
});

export const samplePeople: readonly SamplePerson[] = [
  person(
    'olivia.oncall',
    'Olivia Oncall',
    'On call: payloads of default and shop, payloads of payments with a justification',
    [[`[default, ${SHOP_NAMESPACE}, ${ON_DEMAND_NAMESPACE}]`, '[metadata, decode, search, query]']],
  ),
  person('sam.support', 'Sam Support', 'Support: metadata of default, no payloads', [
    ['[default]', '[metadata]'],
  ]),
  person('audrey.audit', 'Audrey Audit', 'Auditor: metadata and the audit of every namespace', [
    ["'*'", '[metadata, audit]'],
  ]),
  person('adam.admin', 'Adam Admin', 'Administrator: everything in every namespace', [
    ["'*'", '[metadata, decode, encode, search, export, query, audit]'],
  ]),
  person('nora.new', 'Nora New', 'New colleague: no permission yet', []),
];

/** Returns `pnpm dev`'s policy file, which identifies the sample people by their groups. */
export const samplePolicy = (issuer: string): string => `# Written by \`pnpm dev\` at each start.
issuers:
  dev:
    type: oidc
    issuer: ${issuer}
    audience: ${AUDIENCE}
    tokens: access
    clockSkewSeconds: 0
rules:
${samplePeople
  .flatMap(({ id, rules }) =>
    rules.map(
      ([namespaces, permissions]) =>
        `  - { issuer: dev, match: { groups: ${id} }, namespaces: ${namespaces}, permissions: ${permissions} }`,
    ),
  )
  .join('\n')}
namespaces:
  ${ON_DEMAND_NAMESPACE}: { reveal: on-demand }
dashboard: { issuer: dev, clientId: ${CLIENT}, scopes: [openid, email, profile], resource: '${AUDIENCE}' }
...
`;

/** Writes the policy file. Call this function before the codec server starts. */
export async function writeSamplePolicy(file: string, issuerPort: number): Promise<void> {
  // The codec server refuses a file to which others can write.
  await writeFile(file, samplePolicy(`http://127.0.0.1:${issuerPort}`), { mode: 0o600 });
}

/** Returns one line per person, to print in the terminal. */
export const peopleLines = (): string[] =>
  samplePeople.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`);

if (import.meta.main) {
  const origins = ['127.0.0.1', 'localhost'].map((host) => `http://${host}:${requiredPort('DEV_UI_PORT')}`);
  const provider = await startIdentityProvider({
    port: requiredPort('DEV_SIGN_IN_PORT'),
    people: samplePeople,
    clients: [
      {
        client_id: CLIENT,
        client_name: 'decrypt-ui',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        redirect_uris: origins.map((origin) => `${origin}/sign-in`),
        post_logout_redirect_uris: origins.map((origin) => `${origin}/signed-out`),
      },
    ],
    audience: AUDIENCE,
    tokenSeconds: Number(required('DEV_AUTH_TOKEN_SECONDS')),
    refreshTokens: required('DEV_AUTH_REFRESH_TOKENS') === 'true',
  });
  console.log(`The identity provider listens on ${provider.issuer}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => void provider.close().then(() => process.exit(0)));
  }
}
