import { createServer } from 'node:http';
import { writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';

/** Somebody who says who the load comes from. */
export interface BenchIssuer {
  /** A token that lets its holder decode and encode in the namespace. */
  readonly token: string;
  close(): void;
}

const AUDIENCE = 'https://codec.example.com';

/** Serves its keys on loopback and writes the policy that trusts it. */
export async function startIssuer(policyFile: string, namespace: string): Promise<BenchIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'bench', alg: 'RS256', use: 'sig' };
  const server = createServer((request, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(
      JSON.stringify(request.url === '/keys' ? { keys: [jwk] } : { issuer, jwks_uri: `${issuer}/keys` }),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const issuer = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const token = await new SignJWT({ groups: ['bench'], email: 'bench@example.com' })
    .setProtectedHeader({ alg: 'RS256', kid: 'bench', typ: 'at+jwt' })
    .setIssuer(issuer)
    .setAudience(AUDIENCE)
    .setSubject('bench')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey);
  // JSON is YAML but for the last line.
  await writeFile(
    policyFile,
    `${JSON.stringify({
      issuers: { bench: { type: 'oidc', issuer, audience: AUDIENCE, tokens: 'access' } },
      rules: [
        {
          issuer: 'bench',
          match: { groups: ['bench'] },
          namespaces: [namespace],
          permissions: ['metadata', 'decode', 'encode', 'export'],
        },
      ],
    })}\n...\n`,
  );
  return { token, close: () => server.close() };
}
