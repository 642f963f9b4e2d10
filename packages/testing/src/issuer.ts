import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { listenOnLoopback } from './network.ts';

/** An OpenID Connect issuer on loopback that serves its discovery document and its keys. */
export interface TestIssuer {
  /** The issuer's URL, which tokens contain as the `iss` claim. */
  readonly issuer: string;
  /**
   * Returns a signed access token (RFC 9068) that is valid for one hour. The given `claims` override the
   * default claims.
   */
  token(claims?: JWTPayload): Promise<string>;
  close(): void;
}

const KEY_ID = 'test-issuer';

/** Starts an issuer whose tokens have the given audience. */
export async function startIssuer(audience: string): Promise<TestIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: KEY_ID, alg: 'RS256', use: 'sig' };
  const server = createServer((request, response) => {
    const document = request.url === '/keys' ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/keys` };
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(document));
  });
  const issuer = `http://127.0.0.1:${await listenOnLoopback(server)}`;
  return {
    issuer,
    token: (claims) =>
      new SignJWT({ sub: 'subject-1', ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: KEY_ID, typ: 'at+jwt' })
        .setIssuer(issuer)
        .setAudience(audience)
        .setIssuedAt()
        .setExpirationTime('1h')
        .sign(privateKey),
    close: () => void server.close(),
  };
}
