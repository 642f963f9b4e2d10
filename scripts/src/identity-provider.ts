import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { type ClientMetadata, Provider } from 'oidc-provider';

/** A person who can sign in without a password. */
export interface Person {
  /** The claim `sub`. */
  readonly id: string;
  readonly name: string;
  readonly email: string;
  /** The claim `groups` of access tokens. */
  readonly groups: readonly string[];
  /** A description in one line, for the sign-in page. */
  readonly about: string;
}

export interface IdentityProviderOptions {
  /** The port. The default is a free port. */
  readonly port?: number;
  readonly people: readonly Person[];
  readonly clients: readonly ClientMetadata[];
  /** The audience of access tokens, which is the codec server (RFC 8707). */
  readonly audience: string;
  /** Lifetime of access tokens and ID tokens in seconds. */
  readonly tokenSeconds: number;
  /** Whether clients receive refresh tokens. */
  readonly refreshTokens: boolean;
}

export interface IdentityProvider {
  readonly issuer: string;
  close(): Promise<void>;
}

/**
 * Starts an OpenID provider on loopback, for development and tests. The provider is oidc-provider with JWT
 * access tokens (RFC 9068) and a sign-in page on which people choose who they are. The provider keeps all
 * data in memory.
 */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const issuer = `http://127.0.0.1:${portOf(server)}`;
  const provider = createProvider(issuer, options);
  const handle = provider.callback();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const interaction = /^\/interaction\/[\w-]+$/.test(request.url ?? '');
    void (
      interaction ? signIn(provider, options.people, request, response) : handle(request, response)
    ).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(error instanceof Error ? error.message : String(error));
    });
  });
  return {
    issuer,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const portOf = (server: Server): number => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The identity provider has no port.');
  return address.port;
};

function createProvider(issuer: string, options: IdentityProviderOptions): Provider {
  const { people, clients, audience, tokenSeconds, refreshTokens } = options;
  const find = (id: string) => people.find((person) => person.id === id);
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  return new Provider(issuer, {
    jwks: {
      keys: [
        {
          ...key,
          kid: createHash('sha256')
            .update(key.n ?? '')
            .digest('base64url'),
          use: 'sig',
          alg: 'RS256',
        },
      ],
    },
    clients: [...clients],
    clientBasedCORS: () => true,
    // Cookies need no protection here, because anyone may sign in as any person.
    cookies: { keys: ['development'] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    conformIdTokenClaims: false,
    findAccount: (_, sub) => {
      const person = find(sub);
      if (!person) return undefined;
      const { name, email } = person;
      return { accountId: sub, claims: () => ({ sub, name, email, email_verified: true }) };
    },
    extraTokenClaims: (_, token) => {
      const person = 'accountId' in token ? find(token.accountId ?? '') : undefined;
      return person && { email: person.email, email_verified: true, groups: [...person.groups] };
    },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    // These clients are part of this project, so the provider does not ask for consent.
    loadExistingGrant: async ({ oidc }) => {
      const { session, client, provider } = oidc;
      if (!session?.accountId || !client) return undefined;
      const known = session.grantIdFor(client.clientId);
      const grant =
        (known === undefined ? undefined : await provider.Grant.find(known)) ??
        new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid email profile offline_access');
      grant.addResourceScope(audience, 'codec');
      await grant.save();
      return grant;
    },
    issueRefreshToken: () => refreshTokens,
    ttl: {
      AccessToken: tokenSeconds,
      IdToken: tokenSeconds,
      Grant: DAY,
      Interaction: DAY,
      RefreshToken: DAY,
      Session: DAY,
    },
    features: { devInteractions: { enabled: false }, resourceIndicators: jwtAccessTokens(audience) },
  });
}

/** Returns the oidc-provider setting that makes access tokens JWTs (RFC 9068) for an audience (RFC 8707). */
export const jwtAccessTokens = (audience: string) => ({
  enabled: true,
  defaultResource: () => audience,
  useGrantedResource: () => true,
  getResourceServerInfo: () => ({
    scope: 'codec',
    audience,
    accessTokenFormat: 'jwt' as const,
    jwt: { sign: { alg: 'RS256' as const } },
  }),
});

const DAY = 24 * 3_600;

/** Shows the people, and signs in the person whose button is clicked. */
async function signIn(
  provider: Provider,
  people: readonly Person[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method === 'POST') {
    const accountId = new URLSearchParams(await text(request)).get('person') ?? '';
    await provider.interactionFinished(request, response, { login: { accountId } });
    return;
  }
  await provider.interactionDetails(request, response);
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.setHeader('cache-control', 'no-store');
  response.end(page(people));
}

const escape = (value: string): string =>
  value.replaceAll(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

const page = (people: readonly Person[]): string => `<!doctype html>
<html lang="en">
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>Choose a person</title>
<style>
  :root { color-scheme: light dark; --bg: light-dark(#fff, #0e1116); --fill: light-dark(#edf0f3, #1c232d);
    --text: light-dark(#14181f, #e6e9ee); --quiet: light-dark(#4a5462, #aab3c0); --focus: light-dark(#1a5fd0, #7cb4ff) }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--bg); color: var(--text);
    font: 13px/20px ui-sans-serif, system-ui, sans-serif }
  main { width: min(420px, calc(100vw - 40px)); padding: 24px 0 }
  h1 { margin: 0; font: 600 18px/24px ui-sans-serif, system-ui, sans-serif }
  p { margin: 4px 0 20px; color: var(--quiet) }
  form { display: grid; gap: 8px }
  button { display: grid; padding: 10px 14px; border: 0; border-radius: 6px; background: var(--fill); color: inherit;
    font: inherit; text-align: left; cursor: pointer }
  button:focus-visible { outline: 2px solid var(--focus); outline-offset: 2px }
  b { font-weight: 500 } span { color: var(--quiet) }
</style>
<main>
  <h1>Choose a person</h1>
  <p>This is the identity provider of <code>pnpm dev</code>. It asks for no password.</p>
  <form method="post">
${people
  .map(
    ({ id, name, email, about }) =>
      `    <button name="person" value="${escape(id)}"><b>${escape(name)}</b><span>${escape(email)}</span><span>${escape(about)}</span></button>`,
  )
  .join('\n')}
  </form>
</main>
</html>
`;
