import { type Permission, permission } from '@temporal-kms/codec-api';
import { z } from 'zod';
import { isSafeUrl, oneOrMany, text } from './fields.ts';

/** Asymmetric only: a provider's public key must never be what a token can be made with. */
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

/** Which of an issuer's tokens are taken. */
type TokenKind = 'access' | 'access-untyped' | 'id' | 'assertion';

/** What Temporal's own `namespace:role` claims give here. */
export interface TemporalPermissions {
  readonly claim: string;
  /** Whether a role of Temporal's system namespace counts in every namespace, as it does for Temporal itself. */
  readonly system: 'every-namespace' | 'ignored';
  /** By role: `read`, `write`, `worker`, `admin`. */
  readonly roles: ReadonlyMap<string, readonly Permission[]>;
}

/** Somebody who says who people are, and what their tokens must be. */
export interface Issuer {
  /** Claim `iss`, to the letter. */
  readonly issuer: string;
  /** Values of `aud`, one of which a token must have. */
  readonly audience: readonly string[];
  readonly tokens: TokenKind;
  readonly algorithms: readonly string[];
  /** Where its keys are: a JSON Web Key Set, or the discovery document that names one. */
  readonly keys: { readonly jwks: string } | { readonly discovery: string };
  /** Claim that people are known by, where it is there; else `sub`. */
  readonly name: string;
  readonly clockSkewSeconds: number;
  /** Seconds after `iat` at which a token is too old whatever its `exp` says. */
  readonly maxAgeSeconds: number;
  /** Its tokens aren't made for this server: only rules that name people by this claim may use them. */
  readonly onlyByName?: string;
  readonly temporal?: TemporalPermissions;
}

const url = text.refine(isSafeUrl, 'must be an https URL (http only on loopback)').meta({ format: 'uri' });
const permissions = z.array(permission).default([]);

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

const common = {
  audience: oneOrMany(text),
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
      (value) => !/(^|\.)tmprl\.cloud$/.test(URL.parse(value)?.hostname ?? ''),
      'is Temporal Cloud, whose tokens need care: write type: temporal-cloud',
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
    // OpenID Connect Discovery 1.0, section 4: appended to the issuer, whatever path that has.
    keys: set.jwks
      ? { jwks: set.jwks }
      : { discovery: `${set.issuer.replace(/\/$/, '')}/.well-known/openid-configuration` },
    name: set.name,
    ...(set.temporalPermissions && { temporal: set.temporalPermissions }),
  }));

/** https://docs.cloud.google.com/iap/docs/signed-headers-howto */
const iap = z.strictObject({ type: z.literal('iap'), ...common }).transform((set): Issuer => ({
  ...shared(set),
  issuer: 'https://cloud.google.com/iap',
  tokens: 'assertion',
  algorithms: ['ES256'],
  keys: { jwks: 'https://www.gstatic.com/iap/verify/public_key-jwk' },
  name: 'email',
}));

const CLOUD_EMAIL = 'https://saas-api.tmprl.cloud/user/email';

/** https://docs.temporal.io/production-deployment/data-encryption: the token that Temporal Cloud's Web UI passes. */
const temporalCloud = z
  .strictObject({
    type: z.literal('temporal-cloud'),
    ...common,
    audience: oneOrMany(text).default(['https://saas-api.tmprl.cloud']),
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
