import type { Permission } from '@temporal-kms/codec-api';
import type { JWTPayload } from 'jose';

/** Namespaces of policy.example.yaml. */
export const namespaces = ['payments', 'cards', 'orders'] as const;
type Namespace = (typeof namespaces)[number];

export const permissions = ['metadata', 'decode', 'encode', 'search', 'export', 'query', 'audit'] as const;

/** A caller in policy.example.yaml. */
export interface ExampleCaller {
  readonly who: string;
  /** The issuer's name in the policy. */
  readonly issuer: string;
  readonly claims: JWTPayload;
  /**
   * All permissions of the caller, by namespace. The server returns 403 if a route requires another
   * permission.
   */
  readonly granted: Readonly<Record<Namespace, readonly Permission[]>>;
}

/** The permissions that the example policy grants. */
export const callers: readonly ExampleCaller[] = [
  {
    who: 'support',
    issuer: 'company',
    claims: { groups: ['staff', 'payments-support'] },
    granted: { payments: ['metadata', 'decode'], cards: [], orders: [] },
  },
  {
    who: 'lead',
    issuer: 'company',
    claims: { groups: ['payments-leads'], email: 'ana@example.com', email_verified: true },
    granted: {
      payments: ['metadata', 'decode', 'search', 'export', 'query'],
      cards: ['metadata', 'decode', 'search', 'export', 'query'],
      orders: [],
    },
  },
  {
    who: 'lead with an unverified address',
    issuer: 'company',
    claims: { groups: ['payments-leads'], email: 'ana@example.com', email_verified: false },
    granted: { payments: [], cards: [], orders: [] },
  },
  {
    who: 'lead without the address',
    issuer: 'company',
    claims: { groups: ['payments-leads'] },
    granted: { payments: [], cards: [], orders: [] },
  },
  {
    who: 'security',
    issuer: 'company',
    claims: { groups: 'security' },
    granted: { payments: ['metadata', 'audit'], cards: ['metadata', 'audit'], orders: ['metadata', 'audit'] },
  },
  {
    who: 'tools',
    issuer: 'company',
    claims: { client_id: 'payments-tools' },
    granted: { payments: ['decode', 'encode'], cards: [], orders: [] },
  },
  {
    who: "reader by Temporal's claim",
    issuer: 'company',
    claims: { permissions: ['orders:read', 'temporal-system:admin'] },
    granted: { payments: [], cards: [], orders: ['metadata'] },
  },
  {
    who: "writer by Temporal's claim",
    issuer: 'company',
    claims: { permissions: ['orders:Write', 'cards:worker'] },
    granted: { payments: [], cards: [], orders: ['metadata', 'decode'] },
  },
  {
    who: 'partner',
    issuer: 'partner',
    claims: { email: 'carla@partner.example' },
    granted: { payments: [], cards: [], orders: ['metadata', 'decode'] },
  },
  {
    who: 'behind the proxy',
    issuer: 'proxy',
    claims: { email: 'dan@example.com' },
    granted: { payments: ['metadata', 'decode'], cards: [], orders: [] },
  },
  {
    who: 'of Temporal Cloud',
    issuer: 'cloud',
    claims: { 'https://saas-api.tmprl.cloud/user/email': 'eve@example.com' },
    granted: { payments: [], cards: [], orders: ['metadata', 'decode'] },
  },
  {
    who: 'unverified, of Temporal Cloud',
    issuer: 'cloud',
    claims: { 'https://saas-api.tmprl.cloud/user/email': 'eve@example.com', email_verified: 'False' },
    granted: { payments: [], cards: [], orders: [] },
  },
  {
    who: 'partner, unverified',
    issuer: 'partner',
    claims: { email: 'carla@partner.example', 'https://partner.example/email_verified': 0 },
    granted: { payments: [], cards: [], orders: [] },
  },
  {
    who: 'unverified behind the proxy',
    issuer: 'proxy',
    claims: { email: 'dan@example.com', gcip: { email_verified: false } },
    granted: { payments: [], cards: [], orders: [] },
  },
  {
    who: 'another user of Temporal Cloud',
    issuer: 'cloud',
    claims: { 'https://saas-api.tmprl.cloud/user/email': 'mallory@example.com' },
    granted: { payments: [], cards: [], orders: [] },
  },
  {
    who: 'known, but in no rule',
    issuer: 'company',
    claims: { groups: ['staff'], email: 'frank@example.com' },
    granted: { payments: [], cards: [], orders: [] },
  },
  {
    who: "of another issuer's group",
    issuer: 'partner',
    claims: { groups: ['payments-support'] },
    granted: { payments: [], cards: [], orders: [] },
  },
];

/** The expected response to a request whose token is not accepted. */
export interface TokenRefusal {
  readonly status: 400 | 401;
  /** The error's code. (The codec endpoints return text without a code.) */
  readonly code: string;
  /** The error in the `WWW-Authenticate` header; undefined if the challenge is only `Bearer`. */
  readonly error: string | undefined;
}

const NO_TOKEN: TokenRefusal = { status: 401, code: 'unauthenticated', error: undefined };
const MALFORMED: TokenRefusal = { status: 400, code: 'bad_request', error: 'invalid_request' };
const INVALID: TokenRefusal = { status: 401, code: 'unauthenticated', error: 'invalid_token' };

/** The expected response for each defect that a token can have. */
export const tokenRefusals: Readonly<Record<string, TokenRefusal>> = {
  'no token': NO_TOKEN,
  'another scheme (Basic)': NO_TOKEN,
  'a token in the URL only': NO_TOKEN,
  'a token in a cookie only': NO_TOKEN,
  'a token in Authorization-Extras only': NO_TOKEN,
  'Bearer without a token': MALFORMED,
  'two Authorization headers': MALFORMED,
  'longer than 16 KiB': INVALID,
  'not a JWT': INVALID,
  'algorithm none': INVALID,
  'HS256 with the public key as its secret': INVALID,
  'an algorithm that the policy does not list': INVALID,
  'a key that the issuer does not have': INVALID,
  'a key in the token itself': INVALID,
  'another key under a known key id': INVALID,
  'claims changed after signing': INVALID,
  'an unknown issuer': INVALID,
  'the issuer without its last slash': INVALID,
  'no issuer': INVALID,
  'another audience': INVALID,
  'no audience': INVALID,
  expired: INVALID,
  'no expiry': INVALID,
  'not valid yet (nbf)': INVALID,
  'issued in the future (iat)': INVALID,
  'issued too long ago (iat)': INVALID,
  'no subject': INVALID,
  'an ID token where access tokens are accepted': INVALID,
  'an access token where ID tokens are accepted': INVALID,
  'an access token without its type where ID tokens are accepted': INVALID,
  'an ID token of another client (azp)': INVALID,
  'a logout token': INVALID,
  'a logout token without its type (events)': INVALID,
  'a DPoP proof': INVALID,
  'a token of any other type': INVALID,
  'a token that is bound to a key (cnf)': INVALID,
  'a token in a token (cty)': INVALID,
  'two values for one claim': INVALID,
  "a refresh token, by Keycloak's claim typ": INVALID,
  "the proxy's assertion as a bearer token": INVALID,
  "a bearer token as the proxy's assertion": INVALID,
  'an invalid assertion alongside a valid bearer token': INVALID,
  "the proxy's assertion for another backend": INVALID,
  'a token of Temporal Cloud for another audience': INVALID,
  'an ID token of Temporal Cloud': INVALID,
};
