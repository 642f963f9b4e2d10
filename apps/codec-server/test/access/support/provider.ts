import { randomBytes, createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { jwtAccessTokens } from '@temporal-kms/scripts/identity-provider';
import { freePorts } from '@temporal-kms/scripts/ports';
import { closeServer, listenOnLoopback } from '@temporal-kms/testing/network';
import { exportJWK } from 'jose';
import { type ClientMetadata, Provider } from 'oidc-provider';
import { z } from 'zod';
import { rsa } from './issuers.ts';
import { vi } from 'vitest';

export const AUDIENCE = 'https://codec.example.com';
const REDIRECT = 'https://dashboard.example.com/callback';
const SECRET = 'a-secret-of-this-test';
const HOURS_3 = 3 * 3_600;

/** An OpenID provider on a port: oidc-provider, with JWT access tokens for this server (RFC 8707 and 9068). */
export interface TestProvider {
  readonly issuer: string;
  /** Returns how many times the provider's keys were fetched. */
  keyRequests(): number;
  /** Resolves to an access token for a program, with the client credentials grant. */
  programToken(): Promise<string>;
  /** Signs a person in with the authorization code flow and PKCE, through the provider's own pages. */
  personTokens(login: string): Promise<{ accessToken: string; idToken: string }>;
  /** Makes the provider sign new tokens with a new key, and immediately withdraws the old key. */
  rotate(): Promise<void>;
  /** Refuses connections until `up` is called. */
  down(): Promise<void>;
  up(): Promise<void>;
}

/** @param more further clients of the provider */
export async function startProvider(
  more: readonly ClientMetadata[] = [],
): Promise<TestProvider & AsyncDisposable> {
  // oidc-provider logs at every start that it is configured for tests.
  for (const method of ['info', 'warn'] as const) vi.spyOn(console, method).mockReturnValue(undefined);
  let handle: ReturnType<Provider['callback']> | undefined;
  let keyRequests = 0;
  const server = createServer((request, response) => {
    if (request.url === '/jwks') keyRequests += 1;
    void handle?.(request, response);
  });
  // While the provider refuses connections, no other process may take its port.
  const [port] = await freePorts(1);
  await listenOnLoopback(server, port);
  const issuer = `http://127.0.0.1:${port}`;

  let keys = 0;
  const rotate = async (): Promise<void> => {
    keys += 1;
    const jwk = { ...(await exportJWK(rsa().privateKey)), kid: `key-${keys}`, use: 'sig', alg: 'RS256' };
    handle = provider(issuer, { keys: [jwk] }, more).callback();
  };
  await rotate();

  const down = (): Promise<void> => closeServer(server);

  return {
    issuer,
    keyRequests: () => keyRequests,
    rotate,
    down,
    up: async () => void (await listenOnLoopback(server, port)),
    programToken: async () => {
      const body = { grant_type: 'client_credentials', scope: 'codec', resource: AUDIENCE };
      const tokens = await tokenRequest(issuer, body, {
        authorization: `Basic ${Buffer.from(`tools:${SECRET}`).toString('base64')}`,
      });
      return String(tokens['access_token']);
    },
    personTokens: (login) => authorizationCode(issuer, login),
    [Symbol.asyncDispose]: async () => {
      if (server.listening) await down();
    },
  };
}

const provider = (issuer: string, jwks: { keys: object[] }, more: readonly ClientMetadata[]): Provider =>
  new Provider(issuer, {
    jwks,
    clients: [
      {
        client_id: 'tools',
        client_secret: SECRET,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
      {
        client_id: 'dashboard',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code'],
        redirect_uris: [REDIRECT],
        response_types: ['code'],
      },
      ...more,
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: () => ({ sub, email: `${sub}@example.com`, email_verified: true }),
    }),
    extraTokenClaims: (_, token) =>
      'accountId' in token
        ? { groups: ['payments-support'], email: `${token.accountId}@example.com` }
        : undefined,
    ttl: { AccessToken: HOURS_3, ClientCredentials: HOURS_3, IdToken: HOURS_3 },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: jwtAccessTokens(AUDIENCE),
    },
  });

async function tokenRequest(
  issuer: string,
  body: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams(body),
    headers,
  });
  const answer = z.looseObject({}).parse(await response.json());
  if (!response.ok) throw new Error(JSON.stringify(answer));
  return answer;
}

/** Acts like a browser: follows the provider's redirects, fills in its forms, and returns with a code. */
async function authorizationCode(
  issuer: string,
  login: string,
): Promise<{ accessToken: string; idToken: string }> {
  const verifier = randomBytes(32).toString('base64url');
  const start = new URLSearchParams({
    client_id: 'dashboard',
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'openid email codec',
    resource: AUDIENCE,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    nonce: randomBytes(8).toString('hex'),
  });
  const cookies = new Map<string, string>();
  let at = new URL(`${issuer}/auth?${start.toString()}`);
  let form: URLSearchParams | undefined;
  for (let steps = 0; steps < 20; steps += 1) {
    const response = await fetch(at, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map((pair) => pair.join('=')).join('; ') },
      ...(form && { method: 'POST', body: form }),
    });
    form = undefined;
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (name !== undefined && value !== undefined) cookies.set(name, value);
    }
    const to = response.headers.get('location');
    const page = await response.text();
    if (to === null) {
      const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
      if (prompt === undefined) throw new Error(`the provider's page has no form: ${page.slice(0, 500)}`);
      form = new URLSearchParams({ prompt, ...(prompt === 'login' ? { login, password: 'any' } : {}) });
      continue;
    }
    at = new URL(to, at);
    if (!at.href.startsWith(REDIRECT)) continue;
    const tokens = await tokenRequest(issuer, {
      grant_type: 'authorization_code',
      client_id: 'dashboard',
      code: at.searchParams.get('code') ?? '',
      redirect_uri: REDIRECT,
      code_verifier: verifier,
      resource: AUDIENCE,
    });
    return { accessToken: String(tokens['access_token']), idToken: String(tokens['id_token']) };
  }
  throw new Error('the provider neither showed a form nor redirected');
}
