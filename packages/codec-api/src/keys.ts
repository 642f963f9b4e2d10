import { z } from 'zod';
import { keyUse, payloadFormat, payloadRef } from './payload.ts';
import { reasonCode, reasonCounts } from './reasons.ts';
import { timestamp } from './workflow.ts';

const count = z.number().int().nonnegative();

/** What this process has seen since it started: no scan, and not what other replicas have seen. */
const seen = z.object({ payloads: count, lastSeen: timestamp.optional() });

export const keyVersion = z.object({
  version: z.number().int().positive(),
  /**
   * Cloud KMS's CryptoKeyVersionState; one that is newer than this contract comes as it is. Absent where Cloud KMS
   * doesn't tell, or doesn't know of it.
   */
  state: z.string().optional(),
  /** New data keys are wrapped under it. */
  primary: z.boolean(),
  created: timestamp.optional(),
  /** When it was or will be destroyed; until then it can be restored. */
  destroyTime: timestamp.optional(),
  seen,
});

export const configuredKey = z.object({
  /** Crypto key resource name. */
  name: z.string(),
  use: z.enum(['encrypt_and_decrypt', 'decrypt']),
  /** Cloud KMS's ProtectionLevel, as `SOFTWARE` or `HSM`. */
  protectionLevel: z.string().optional(),
  rotationPeriodSeconds: z.number().optional(),
  nextRotation: timestamp.optional(),
  /** When Cloud KMS told what stands here. */
  described: timestamp.optional(),
  /** Why Cloud KMS told nothing; then only versions that were seen are listed. */
  reason: reasonCode.optional(),
  /** The newest first. */
  versions: z.array(keyVersion),
  /** Payloads of formats that name no version. */
  unversioned: seen,
});
export type ConfiguredKey = z.infer<typeof configuredKey>;

/** `GET /api/namespaces/{namespace}/keys`: keys that the namespace is configured with, and their use seen here. */
export const namespaceKeys = z.object({
  namespace: z.string(),
  /** When this process began to count. */
  since: timestamp,
  /** Formats that are read, and what happens to payloads that aren't sealed. */
  reads: z.array(payloadFormat),
  plaintext: z.enum(['pass', 'report', 'refuse']),
  keys: z.array(configuredKey),
  /** Ids of static keys that may decrypt. */
  staticKeys: z.array(z.string()),
  outcomes: z.object({
    /** Payloads opened or sealed for callers. */
    done: count,
    /** Payloads that weren't, by reason. */
    refused: reasonCounts,
    /** Plaintext where this codec would have sealed. */
    notEncrypted: count,
    dataKeys: z.object({ hit: count, miss: count, joined: count }),
    /** Of all namespaces under these keys: what Cloud KMS was asked, and how often it refused. */
    kmsCalls: z.object({ total: count, failed: reasonCounts }),
  }),
  /** The last hour, the oldest first; minutes in which nothing happened are left out. */
  minutes: z.array(z.object({ time: timestamp, done: count, refused: reasonCounts })),
  /** The latest refusals, the newest first, at most 50. */
  failures: z.array(
    z.object({
      time: timestamp,
      reason: reasonCode,
      key: keyUse.optional(),
      workflowId: z.string().optional(),
      runId: z.string().optional(),
      ref: payloadRef.optional(),
    }),
  ),
});
export type NamespaceKeys = z.infer<typeof namespaceKeys>;
