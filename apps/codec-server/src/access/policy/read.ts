import { parseStrictYaml, readStrictYaml } from '@temporal-kms/kms-codec/strict-yaml';
import { type Policy, policy } from './policy.ts';

/** How messages call the file. */
const NAME = 'POLICY_FILE';

export interface PolicyFile {
  readonly policy: Policy;
  /** SHA-256 of the file's bytes, in hex. */
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
}

/** @throws StrictYamlError when the file cannot be read, may be incomplete, or contains a mistake */
export function readPolicy(file: string): PolicyFile {
  const yaml = readStrictYaml(file, NAME);
  return { policy: yaml.check(policy), digest: yaml.digest, size: yaml.size };
}

/** @throws StrictYamlError */
export const parsePolicy = (content: string): Policy =>
  parseStrictYaml(Buffer.from(content), NAME).check(policy);
