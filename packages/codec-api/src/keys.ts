import { z } from 'zod/mini';
import { keyUse, payloadFormat, payloadRef } from './payload.ts';
import { reasonCode, reasonCounts } from './reasons.ts';
import { scannedKey, scannedNamespace } from './scan-report.ts';
import { timestamp } from './workflow.ts';

const count = z.int().check(z.nonnegative());

/** Payloads that this process has seen since it started. It scans no history, and other replicas count separately. */
const seen = z.object({ payloads: count, lastSeen: z.optional(timestamp) });

export const keyVersion = z.object({
  version: z.int().check(z.positive()),
  /**
   * Cloud KMS's CryptoKeyVersionState, states that are newer than this contract included. Absent where Cloud KMS does
   * not know the version, or did not answer.
   */
  state: z.optional(z.string()),
  /** New branch keys and data keys are wrapped under it. */
  primary: z.boolean(),
  created: z.optional(timestamp),
  /** When the version was or will be destroyed; until then it can be restored. */
  destroyTime: z.optional(timestamp),
  /** Cloud KMS's CryptoKeyVersionAlgorithm, as `GOOGLE_SYMMETRIC_ENCRYPTION`. */
  algorithm: z.optional(z.string()),
  /** Cloud KMS's ProtectionLevel of the version. That of the crypto key applies to new versions. */
  protectionLevel: z.optional(z.string()),
  seen,
});

export const configuredKey = z.object({
  /** Crypto key resource name. */
  name: z.string(),
  use: z.enum(['encrypt_and_decrypt', 'decrypt']),
  /** Cloud KMS's ProtectionLevel, as `SOFTWARE` or `HSM`. */
  protectionLevel: z.optional(z.string()),
  rotationPeriodSeconds: z.optional(z.number()),
  nextRotation: z.optional(timestamp),
  /** When Cloud KMS returned this description. */
  described: z.optional(timestamp),
  /** Why Cloud KMS returned no description; then only versions that were seen are listed. */
  reason: z.optional(reasonCode),
  /** The newest first. */
  versions: z.array(keyVersion),
  /** Payloads of formats that name no version. */
  unversioned: seen,
});
export type ConfiguredKey = z.infer<typeof configuredKey>;

/**
 * What `temporal-kms scan` found in a namespace.
 * - `not_configured`: the server has no report (`SCAN_REPORT_FILE`)
 * - `unreadable`: the file is missing, invalid, too large, or others can write it
 * - `not_scanned`: the report is about other namespaces
 */
export const namespaceScan = z.discriminatedUnion('status', [
  z.object({ status: z.literal('not_configured') }),
  z.object({ status: z.literal('unreadable'), message: z.string() }),
  z.object({ status: z.literal('not_scanned'), started: timestamp }),
  z.object({
    status: z.literal('scanned'),
    scanned: z.extend(z.omit(scannedNamespace, { exports: true }), {
      /**
       * The keys of the namespace's configuration, as the scan found them. Absent: those that Cloud KMS did not
       * describe.
       */
      cryptoKeys: z.array(scannedKey),
    }),
  }),
]);
export type NamespaceScan = z.infer<typeof namespaceScan>;

/** `GET /api/namespaces/{namespace}/keys`: the keys of the namespace's configuration, and their use in this process. */
export const namespaceKeys = z.object({
  namespace: z.string(),
  /** When this process started to count. */
  since: timestamp,
  /** Formats that are decrypted, and what happens to payloads that are not encrypted. */
  reads: z.array(payloadFormat),
  plaintext: z.enum(['pass', 'report', 'refuse']),
  keys: z.array(configuredKey),
  /** Ids of static keys that may decrypt. */
  staticKeys: z.array(z.string()),
  /** Which key versions stored histories need. The other counts are those of this process. */
  scan: namespaceScan,
  /** How long this process could continue with the keys in its memory if Cloud KMS stopped answering now. */
  inMemory: z.object({
    /** Absent: without a limit, because the process only decrypts and has used no key in the last hour. */
    autonomySeconds: z.optional(count),
    /** Why the last attempt to replace or confirm a key failed; absent while Cloud KMS answers. */
    failure: z.optional(reasonCode),
    /** Age of the branch key or data key that encrypts; absent: there is none yet. */
    encryptionKeyAgeSeconds: z.optional(count),
    /** Time since Cloud KMS last confirmed the oldest key in memory; absent: there is none. */
    oldestKeyAgeSeconds: z.optional(count),
  }),
  outcomes: z.object({
    /** Payloads decrypted or encrypted for callers. */
    done: count,
    /** Payloads that were not, by reason code. */
    refused: reasonCounts,
    /** Payloads in plaintext that this codec would have encrypted. */
    notEncrypted: count,
    dataKeys: z.object({ hit: count, stale: count, miss: count, joined: count }),
    /** Requests to Cloud KMS for these keys, for all namespaces, and the failed ones by reason code. */
    kmsCalls: z.object({ total: count, failed: reasonCounts }),
  }),
  /** The last hour, oldest first, without minutes that had no events. */
  minutes: z.array(z.object({ time: timestamp, done: count, refused: reasonCounts })),
  /** The latest 50 failures, newest first. */
  failures: z.array(
    z.object({
      time: timestamp,
      reason: reasonCode,
      key: z.optional(keyUse),
      workflowId: z.optional(z.string()),
      runId: z.optional(z.string()),
      ref: z.optional(payloadRef),
    }),
  ),
});
export type NamespaceKeys = z.infer<typeof namespaceKeys>;

/** `POST /api/namespaces/{namespace}/keys:test`: an empty object. */
export const keyTestRequest = z.strictObject({});

/** A call to Cloud KMS: how long it took, and why it failed, if it did. */
const keyTestStep = z.object({
  milliseconds: z.number().check(z.nonnegative()),
  reason: z.optional(reasonCode),
});

/**
 * What `keys:test` found: a round trip with Cloud KMS for each key that encrypts, with random bytes, and for the others
 * whether the server may decrypt with them. It uses no key in memory and no payload.
 */
export const keyTest = z.object({
  namespace: z.string(),
  time: timestamp,
  keys: z.array(
    z.object({
      /** Crypto key resource name. */
      name: z.string(),
      use: z.enum(['encrypt_and_decrypt', 'decrypt']),
      /**
       * `round_trip`: Cloud KMS encrypted bytes and decrypted them. `decrypt_permission`, for a key that only decrypts,
       * and for a server that may not encrypt: Cloud KMS was asked to decrypt bytes that are no ciphertext of the key.
       * That it refuses the bytes, not the server, shows that the server may decrypt.
       */
      check: z.enum(['round_trip', 'decrypt_permission']),
      /** The key version that encrypted. */
      version: z.optional(z.int().check(z.positive())),
      /** Absent for a key that only decrypts. */
      encrypt: z.optional(keyTestStep),
      /** Absent if there was nothing to decrypt, because encryption failed. */
      decrypt: z.optional(keyTestStep),
    }),
  ),
});
export type KeyTest = z.infer<typeof keyTest>;
