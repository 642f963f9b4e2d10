import { type Permission, permission, reveal } from '@temporal-kms/codec-api';
import { isLoopback } from '@temporal-kms/config';
import { parseStrictYaml, readStrictYaml } from '@temporal-kms/kms-codec/strict-yaml';
import { z } from 'zod';

const text = z
  .string('must be text; put it into quotes')
  .min(1, 'is empty')
  .regex(/^(?!\s)(?!.*\s$)/, 'begins or ends with white space')
  .meta({ id: 'text' });

/** A name or value that is compared literally. */
const literalText = (message: string) => text.regex(/^[^*]*$/, message);

/** A string, or a list of strings. */
const oneOrMany = <One extends z.ZodType<string>>(one: One) =>
  z
    .union([one, z.array(one).min(1, 'is empty')], { error: 'must be text, or a list of texts' })
    .transform((value): readonly string[] => (typeof value === 'string' ? [value] : value));

/**
 * Returns whether keys may be fetched from a URL: over https from any host, but over http only from this
 * machine, because http does not authenticate the sender.
 */
export function isSafeUrl(value: string): boolean {
  const url = URL.parse(value);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '') return false;
  if (url.protocol === 'https:') return true;
  return url.protocol === 'http:' && isLoopback(url.hostname.replaceAll(/[[\]]/g, ''));
}

/**
 * Asymmetric algorithms only: with a symmetric algorithm, anyone could sign tokens with the issuer's public
 * key.
 */
const algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** Which kind of an issuer's tokens the server accepts. */
type TokenKind = 'access' | 'access-untyped' | 'id' | 'assertion';

/** The permissions granted by claims in Temporal's own format, `namespace:role`. */
export interface TemporalPermissions {
  readonly claim: string;
  /** Whether a role in Temporal's system namespace applies in every namespace, as in Temporal itself. */
  readonly system: 'every-namespace' | 'ignored';
  /** Permissions by role: `read`, `write`, `worker`, `admin`. */
  readonly roles: ReadonlyMap<string, readonly Permission[]>;
}

/** An issuer, and the requirements for its tokens. */
export interface Issuer {
  /** The exact value of `iss`. */
  readonly issuer: string;
  /** Accepted values of `aud`; a token must have at least one of these values. */
  readonly audience: readonly string[];
  readonly tokens: TokenKind;
  readonly algorithms: readonly string[];
  /** The URL of the issuer's JSON Web Key Set, or of the discovery document that names the key set. */
  readonly keys: { readonly jwks: string } | { readonly discovery: string };
  /** The claim with the caller's name. If a token lacks this claim, `sub` is the name. */
  readonly name: string;
  readonly clockSkewSeconds: number;
  /** A token is too old this many seconds after its `iat`, whatever its `exp`. */
  readonly maxAgeSeconds: number;
  /**
   * The claim by which rules must name people, because other servers receive the issuer's tokens too;
   * undefined if rules may use any claim.
   */
  readonly onlyByName?: string;
  readonly temporal?: TemporalPermissions;
}

const url = text.refine(isSafeUrl, 'must be an https URL (http only on loopback)').meta({ format: 'uri' });
const permissions = z.array(permission).default([]).meta({ id: 'permissions' });

const temporalPermissions = z
  .strictObject({
    claim: text.default('permissions'),
    system: z.enum(['every-namespace', 'ignored']).default('ignored'),
    read: permissions,
    write: permissions,
    worker: permissions,
    admin: permissions,
  })
  .transform(({ claim, system, ...roles }): TemporalPermissions => ({
    claim,
    system,
    roles: new Map(Object.entries(roles)),
  }));

const audiences = oneOrMany(text).meta({ id: 'audience' });
const common = {
  audience: audiences,
  clockSkewSeconds: z.number().int().min(0).max(300).default(30),
  maxAgeHours: z
    .number()
    .int()
    .min(1)
    .max(24 * 31)
    .default(24),
};

const oidc = z
  .strictObject({
    type: z.literal('oidc'),
    issuer: url.refine(
      (value) => !/(^|\.)tmprl\.cloud$/.test(URL.parse(value)?.hostname ?? value),
      'is Temporal Cloud, which issues the same tokens for other servers: write type: temporal-cloud',
    ),
    ...common,
    tokens: z.enum(['access', 'access-untyped', 'id']),
    algorithms: z.array(z.enum(algorithms)).min(1).default(['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519']),
    jwks: url.optional(),
    name: text.default('email'),
    temporalPermissions: temporalPermissions.optional(),
  })
  .transform((set): Issuer => ({
    ...shared(set),
    issuer: set.issuer,
    tokens: set.tokens,
    algorithms: set.algorithms,
    // OpenID Connect Discovery 1.0, section 4: the path is appended to the issuer, which may itself have a
    // path.
    keys: set.jwks
      ? { jwks: set.jwks }
      : { discovery: `${set.issuer.replace(/\/$/, '')}/.well-known/openid-configuration` },
    name: set.name,
    ...(set.temporalPermissions && { temporal: set.temporalPermissions }),
  }));

/** Google's Identity-Aware Proxy: https://docs.cloud.google.com/iap/docs/signed-headers-howto. */
const iap = z
  .strictObject({ type: z.literal('iap'), ...common })
  .transform((set): Issuer => ({
    ...shared(set),
    issuer: 'https://cloud.google.com/iap',
    tokens: 'assertion',
    algorithms: ['ES256'],
    keys: { jwks: 'https://www.gstatic.com/iap/verify/public_key-jwk' },
    name: 'email',
  }));

const CLOUD_EMAIL = 'https://saas-api.tmprl.cloud/user/email';

/** The token that Temporal Cloud's Web UI passes: https://docs.temporal.io/production-deployment/data-encryption. */
const temporalCloud = z
  .strictObject({
    type: z.literal('temporal-cloud'),
    ...common,
    audience: audiences.default(['https://saas-api.tmprl.cloud']),
  })
  .transform((set): Issuer => ({
    ...shared(set),
    issuer: 'https://login.tmprl.cloud/',
    tokens: 'access-untyped',
    algorithms: ['RS256'],
    keys: { jwks: 'https://login.tmprl.cloud/.well-known/jwks.json' },
    name: CLOUD_EMAIL,
    onlyByName: CLOUD_EMAIL,
  }));

const shared = (set: { audience: readonly string[]; clockSkewSeconds: number; maxAgeHours: number }) => ({
  audience: set.audience,
  clockSkewSeconds: set.clockSkewSeconds,
  maxAgeSeconds: set.maxAgeHours * 3_600,
});

export const issuer = z.discriminatedUnion('type', [oidc, iap, temporalCloud]);

const values = oneOrMany(literalText('is compared literally: there are no wildcards, so list each value'));
const namespace = literalText('must be a name; for all namespaces, write namespaces: "*"');
/**
 * States in the JSON Schema that an object must not be empty, because Zod's refinements do not become part of
 * it.
 */
const atLeastOne = { minProperties: 1 };

/**
 * Parameters of the authorization request that the page sets itself (RFC 6749, RFC 7636, RFC 8707, OpenID
 * Connect).
 */
const ownParameters: ReadonlySet<string> = new Set([
  'client_id',
  'code_challenge',
  'code_challenge_method',
  'nonce',
  'prompt',
  'redirect_uri',
  'resource',
  'response_mode',
  'response_type',
  'scope',
  'state',
]);

const rule = z.strictObject({
  issuer: text,
  match: z
    .record(text, values)
    .refine(
      (claims) => Object.keys(claims).length > 0,
      'names no claim, so the rule would apply to every caller: name at least one',
    )
    .meta(atLeastOne),
  namespaces: z.union([z.literal('*'), z.array(namespace).min(1, 'is empty')], {
    error: 'must be a list of namespaces, or "*" for all',
  }),
  permissions: z.array(permission).min(1, 'is empty'),
});

/** How long, in minutes, a web page may show payloads after one justification. */
const revealMinutes = z
  .number()
  .int()
  .min(1)
  .max(12 * 60);

/**
 * The policy file (`POLICY_FILE`), described in docs/access.md. Callers have only the permissions that the
 * policy grants. `policy-file.schema.json` contains this schema for editors and other programs, without the
 * checks that concern several fields.
 */
export const policy = z
  .strictObject({
    issuers: z
      .record(text, issuer)
      .refine(
        (issuers) => Object.keys(issuers).length > 0,
        'is empty, so no caller could sign in: add an issuer',
      )
      .meta(atLeastOne),
    rules: z.array(rule).default([]),
    /** Applies to namespaces that `namespaces` does not name. */
    reveal: z._default(reveal, 'automatic'),
    revealMinutes: revealMinutes.default(15),
    namespaces: z
      .record(namespace, z.strictObject({ reveal, revealMinutes: revealMinutes.optional() }))
      .default({}),
    dashboard: z
      .strictObject({
        issuer: text,
        clientId: text,
        scopes: z.array(text).min(1).default(['openid', 'email']),
        resource: text.optional(),
        parameters: z
          .record(text, text)
          .refine(
            (parameters) => !Object.keys(parameters).some((name) => ownParameters.has(name)),
            `names a parameter that the page sets itself: ${[...ownParameters].join(', ')}`,
          )
          .optional(),
      })
      .optional(),
  })
  .superRefine(({ issuers, rules, dashboard }, context) => {
    // These checks are skipped if fields failed their own checks, because the fields' types may then be
    // wrong.
    if (context.issues.length > 0) return;
    const named = new Map(Object.entries(issuers));
    const wrong = (path: (string | number)[], message: string): void =>
      // Stryker disable next-line StringLiteral: zod requires a code, which no message contains.
      context.addIssue({ path, message, code: 'custom' });

    const names = new Map<string, string>();
    for (const [name, { issuer: iss }] of named) {
      const other = names.get(iss);
      if (other !== undefined) wrong(['issuers', name], `is the same issuer as ${other}: list it only once`);
      names.set(iss, name);
    }
    for (const [index, { issuer: name, match }] of rules.entries()) {
      const from = named.get(name);
      if (!from) wrong(['rules', index, 'issuer'], `must be one of issuers: ${[...named.keys()].join(', ')}`);
      const claim = from?.onlyByName;
      if (claim === undefined) continue;
      const emails = match[claim];
      if (!emails?.every((value) => /^[^\s@]+@[^\s@]+$/.test(value))) {
        wrong(
          ['rules', index, 'match'],
          `must name people by their e-mail addresses, in the claim ${claim}: other servers receive this issuer's ` +
            'tokens too and could send them here',
        );
      }
    }
    if (!dashboard) return;
    const provider = named.get(dashboard.issuer);
    if (!provider) {
      wrong(['dashboard', 'issuer'], `must be one of issuers: ${[...named.keys()].join(', ')}`);
    } else if (provider.tokens === 'assertion' || provider.onlyByName !== undefined) {
      wrong(
        ['dashboard', 'issuer'],
        'must be an issuer of type oidc: web pages cannot sign in with other types',
      );
    }
  })
  .meta({ title: 'Policy file of the codec server', description: 'Described in docs/access.md.' });

export type Policy = z.infer<typeof policy>;
export type Rule = Policy['rules'][number];

/** Returns the namespaces that the policy names. */
export function namespacesIn({ rules, namespaces }: Policy): readonly string[] {
  const inRules = rules.flatMap((each) => (each.namespaces === '*' ? [] : each.namespaces));
  return [...new Set([...inRules, ...Object.keys(namespaces)])];
}

/** The name of the policy file in error messages. */
const NAME = 'POLICY_FILE';

export interface PolicyFile {
  readonly policy: Policy;
  /** SHA-256 of the file's bytes, in hexadecimal. */
  readonly digest: string;
  /** Size in bytes. */
  readonly size: number;
}

/**
 * Reads the policy file.
 * @throws StrictYamlError if the file cannot be read, may be incomplete, or has a mistake
 */
export function readPolicy(file: string): PolicyFile {
  const yaml = readStrictYaml(file, NAME);
  return { policy: yaml.check(policy), digest: yaml.digest, size: yaml.size };
}

/** Parses the content of a policy file. @throws StrictYamlError */
export const parsePolicy = (content: string): Policy =>
  parseStrictYaml(Buffer.from(content), NAME).check(policy);
