import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startIssuer } from '@temporal-kms/testing/issuer';
import { NAMESPACE } from './bundle.ts';

/**
 * Starts an issuer, and writes a policy that grants the issuer's subjects every permission in the namespace.
 */
export async function signedIn(directory: string) {
  const policyFile = join(directory, 'policy.yaml');
  const audience = 'https://codec.example.com';
  const issuer = await startIssuer(audience);
  // JSON is valid YAML, but our YAML files must also end with the line `...`.
  await writeFile(
    policyFile,
    `${JSON.stringify({
      issuers: { bench: { type: 'oidc', issuer: issuer.issuer, audience, tokens: 'access' } },
      rules: [
        {
          issuer: 'bench',
          match: { groups: ['bench'] },
          namespaces: [NAMESPACE],
          permissions: ['metadata', 'decode', 'encode', 'export'],
        },
      ],
    })}\n...\n`,
  );
  return {
    env: { AUTH: 'policy', POLICY_FILE: policyFile },
    authorization: async (sub: string): Promise<string> =>
      `Bearer ${await issuer.token({ sub, groups: ['bench'], email: `${sub}@example.com` })}`,
    close: () => issuer.close(),
  };
}
