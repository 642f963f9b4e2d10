import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Writes a policy file in a new folder. @returns its path */
export function policyFile(content: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'policy-')), 'policy.yaml');
  writeFileSync(path, content);
  return path;
}

/** Returns the section of a policy with one issuer, `company`. */
export const company = (issuer: string, audience: string, tokens = 'access'): string =>
  `issuers:\n  company: { type: oidc, issuer: '${issuer}', audience: '${audience}', tokens: ${tokens} }`;
