import { z } from 'zod/mini';
import { keyUse, payloadFormat, payloadRef } from './payload.ts';
import { reasonCode, reasonCounts } from './reasons.ts';
import { scannedKey, scannedNamespace } from './scan-report.ts';
import { timestamp } from './workflow.ts';

const count = z.int().check(z.nonnegative());

/**
 * Number of payloads that this process has handled since it started. The number does not include payloads that
 * other replicas handled or that are only stored in histories.
 */
const seen = z.object({ payloads: count, lastSeen: z.optional(timestamp) });

export const keyVersion = z.object({
  version: z.int().check(z.positive()),
  /**
   * Cloud KMS's CryptoKeyVersionState, including states newer than this contract. The state is absent if Cloud KMS
   * does not know the version or did not respond.
   */
  state: z.optional(z.string()),
  /** Whether new branch keys and data keys are wrapped under this version. */
  primary: z.boolean(),
  created: z.optional(timestamp),
  /**
   * When the version was or will be destroyed. Until this time, a version that is scheduled for destruction can be
   * restored.
   */
  destroyTime: z.optional(timestamp),
  /** Cloud KMS's CryptoKeyVersionAlgorithm, such as `GOOGLE_SYMMETRIC_ENCRYPTION`. */
  algorithm: z.optional(z.string()),
  /**
   * The version's ProtectionLevel in Cloud KMS. The crypto key's ProtectionLevel applies to new versions
   * only.
   */
  protectionLevel: z.optional(z.string()),
  seen,
});

export const configuredKey = z.object({
  /** Crypto key resource name. */
  name: z.string(),
  use: z.enum(['encrypt_and_decrypt', 'decrypt']),
  /** Cloud KMS's ProtectionLevel, such as `SOFTWARE` or `HSM`. */
  protectionLevel: z.optional(z.string()),
  rotationPeriodSeconds: z.optional(z.number()),
  nextRotation: z.optional(timestamp),
  /** When Cloud KMS returned this description. */
  described: z.optional(timestamp),
  /**
   * Why Cloud KMS returned no description. If this field is present, `versions` lists only the versions that this
   * process has used.
   */
  reason: z.optional(reasonCode),
  /** The key's versions, newest first. */
  versions: z.array(keyVersion),
  /** Counts of payloads whose format records no key version. */
  unversioned: seen,
});
export type ConfiguredKey = z.infer<typeof configuredKey>;

/**
 * What `temporal-kms scan` found in a namespace.
 * - `not_configured`: the server has no report (`SCAN_REPORT_FILE`)
 * - `unreadable`: the file is missing, invalid, too large, or writable by other users
 * - `not_scanned`: the report does not cover this namespace
 */
export const namespaceScan = z.discriminatedUnion('status', [
  z.object({ status: z.literal('not_configured') }),
  z.object({ status: z.literal('unreadable'), message: z.string() }),
  z.object({ status: z.literal('not_scanned'), started: timestamp }),
  z.object({
    status: z.literal('scanned'),
    scanned: z.extend(z.omit(scannedNamespace, { exports: true }), {
      /**
       * The keys in the namespace's configuration, as Cloud KMS described them at the scan. Keys that Cloud
       * KMS did not describe are missing.
       */
      cryptoKeys: z.array(scannedKey),
    }),
  }),
]);
export type NamespaceScan = z.infer<typeof namespaceScan>;

/**
 * `GET /api/namespaces/{namespace}/keys`: returns the keys in the namespace's configuration, and how this
 * process has used these keys.
 */
export const namespaceKeys = z.object({
  namespace: z.string(),
  /** When this process started to count payloads. */
  since: timestamp,
  /** The formats that the server decrypts, and what the server does with plaintext payloads. */
  reads: z.array(payloadFormat),
  plaintext: z.enum(['pass', 'report', 'refuse']),
  keys: z.array(configuredKey),
  /** Ids of static keys that may decrypt. */
  staticKeys: z.array(z.string()),
  /**
   * The result of a scan: the key versions that stored histories need. All other counts in this response are
   * for this process alone.
   */
  scan: namespaceScan,
  /** How long this process could continue with the keys in its memory if Cloud KMS stopped responding now. */
  inMemory: z.object({
    /**
     * The number of seconds. This field is absent if there is no limit: the process only decrypts, and has used no key
     * in the last hour.
     */
    autonomySeconds: z.optional(count),
    /** Why the last attempt to replace or confirm a key failed; absent while Cloud KMS responds. */
    failure: z.optional(reasonCode),
    /** Age of the branch key or data key that encrypts; absent if there is no such key yet. */
    encryptionKeyAgeSeconds: z.optional(count),
    /** The longest time since Cloud KMS last confirmed a key in memory; absent if no key is in memory. */
    oldestKeyAgeSeconds: z.optional(count),
  }),
  outcomes: z.object({
    /** Number of payloads that were decrypted or encrypted for callers. */
    done: count,
    /** Number of payloads that could not be decrypted or encrypted, by reason code. */
    refused: reasonCounts,
    /** Number of plaintext payloads in fields that the codec encrypts. */
    notEncrypted: count,
    dataKeys: z.object({ hit: count, stale: count, miss: count, joined: count }),
    /**
     * Number of requests to Cloud KMS for these keys, from all namespaces, and the numbers of failed requests
     * by reason code.
     */
    kmsCalls: z.object({ total: count, failed: reasonCounts }),
  }),
  /** The minutes of the last hour in which payloads succeeded or failed, oldest first. */
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

/** `POST /api/namespaces/{namespace}/keys:test`: the request's body is an empty object. */
export const keyTestRequest = z.strictObject({});

/** The duration of a Cloud KMS call, and the reason code if the call failed. */
const keyTestStep = z.object({
  milliseconds: z.number().check(z.nonnegative()),
  reason: z.optional(reasonCode),
});

/**
 * The results of `keys:test`. For each key that encrypts, the server makes a round trip of random bytes
 * through Cloud KMS. For each other key, the server tests whether it may decrypt with the key. The test uses no
 * cached key and no payload.
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
       * `round_trip`: Cloud KMS encrypted random bytes and decrypted the result. `decrypt_permission`: Cloud
       * KMS received bytes that are not a ciphertext of the key. If Cloud KMS rejects only these bytes and
       * not the call, the server has the permission to decrypt. The server uses this test for keys that only
       * decrypt, and for other keys if it may not encrypt.
       */
      check: z.enum(['round_trip', 'decrypt_permission']),
      /** The key version that encrypted the test bytes. */
      version: z.optional(z.int().check(z.positive())),
      /** The encryption step, which is absent for a key that only decrypts. */
      encrypt: z.optional(keyTestStep),
      /**
       * The decryption step, which is absent if encryption failed, because there is then no ciphertext. If the server
       * may not encrypt, this step is the test of the permission to decrypt.
       */
      decrypt: z.optional(keyTestStep),
    }),
  ),
});
export type KeyTest = z.infer<typeof keyTest>;
