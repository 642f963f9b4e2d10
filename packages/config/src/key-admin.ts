import { kmsEnvironment, type KmsSettings } from '@temporal-kms/kms-codec';
import { z } from 'zod';
import type { Environment } from './environment.ts';
import { auditVariables, kmsVariables } from './shared-variables.ts';

/** Where decryptions are audited. */
export interface AuditConfig {
  /** The audit file, if one is configured. */
  readonly file?: string;
  /** Whether a line counts as written only once it is on disk. */
  readonly fsync: boolean;
  /** The file with the digest key. Without this key, the audit contains no digests of ciphertexts. */
  readonly digestKeyFile?: string | undefined;
}

export interface KeyAdminConfig {
  readonly kms: KmsSettings;
  readonly audit: AuditConfig;
}

const audit = z
  .object({
    AUDIT_FILE: z.string().optional(),
    AUDIT_FSYNC: z.stringbool('must be true or false'),
    AUDIT_DIGEST_KEY_FILE: z.string().optional(),
  })
  .transform(({ AUDIT_FILE, AUDIT_FSYNC, AUDIT_DIGEST_KEY_FILE }) => ({
    audit: {
      ...(AUDIT_FILE !== undefined && { file: AUDIT_FILE }),
      fsync: AUDIT_FSYNC,
      ...(AUDIT_DIGEST_KEY_FILE !== undefined && { digestKeyFile: AUDIT_DIGEST_KEY_FILE }),
    },
  }));

/**
 * The environment of the command-line tool `temporal-kms`. As in the applications, its variables configure
 * the crypto keys. They also configure the audit of decryptions.
 */
export const keyAdminEnvironment: Environment<KeyAdminConfig> = {
  prefixes: [],
  variables: { ...kmsVariables, ...auditVariables },
  schema: z.intersection(
    audit,
    kmsEnvironment.transform((kms) => ({ kms })),
  ),
};
