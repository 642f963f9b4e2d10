import { z } from 'zod';
import { reasonCodes } from '../../../src/errors.ts';
import { encryptedFormats, unsafeSettings } from '../../../src/keys/key-rules.ts';

/* The schema of test/vectors/*.json. The README.md in that folder explains how to run a vector. */

const bytes = z.string().regex(/^([0-9a-f]{2})*$/, 'must be bytes in hex');

export const payload = z.strictObject({
  metadata: z.record(z.string(), bytes),
  data: bytes,
  externalPayloads: z.array(z.strictObject({ sizeBytes: z.string().regex(/^-?\d+$/) })).optional(),
});

/** An entry of the keys file, with static keys in hex instead of file names. */
const rule = z.strictObject({
  encrypt: z.string().optional(),
  decrypt: z.array(z.string()).optional(),
  accepts: z.array(z.string()).optional(),
  reads: z.array(z.enum(encryptedFormats)).optional(),
  plaintext: z.enum(['pass', 'report', 'refuse']).optional(),
  unsafe: z.array(z.enum(unsafeSettings)).optional(),
  static: z.record(z.string(), bytes).optional(),
  workflowTag: z.enum(['require']).optional(),
});

/** Cloud KMS's response to one Decrypt request. For any other request, the response is INVALID_ARGUMENT. */
const kmsAnswer = z.strictObject({
  key: z.string(),
  aad: bytes,
  ciphertext: bytes,
  plaintext: bytes.optional(),
  /** A gRPC status in place of a plaintext, and the key version's state if the caller may read it. */
  status: z.string().optional(),
  state: z.string().optional(),
});

/** The fields of a `binary/envelope-kms-v2` header, before hashing. */
const madeHeader = z.strictObject({
  version: z.number().optional(),
  /** Default: bit 0 if `workflowId` is set, bit 1 if `compressed` is set. */
  flags: z.number().optional(),
  compressed: z.boolean().optional(),
  /** Default: the crypto key of `payments`. */
  cryptoKey: z.string().optional(),
  keyVersion: z.number().optional(),
  /** Default: `payments`. */
  namespace: z.string().optional(),
  workflowId: z.string().optional(),
  /** The namespace in the workflow tag. Default: `namespace`. */
  workflowNamespace: z.string().optional(),
  salt: bytes.optional(),
  commitment: bytes.optional(),
  /** Default: the length of the wrapped branch key. */
  n: z.number().optional(),
});

/** How a `binary/envelope-kms-v2` message's data was made. */
const made = z.strictObject({
  header: madeHeader.optional(),
  branchKey: z.strictObject({ plaintext: bytes, wrapped: bytes }).optional(),
  /** Replaces the derived data key. */
  dataKey: bytes.optional(),
  /** Default: the expected payload, serialized. */
  plaintext: bytes.optional(),
  /** A change to the message after encryption. */
  changed: z.strictObject({ at: z.number(), removed: z.number(), added: bytes }).optional(),
});

const vector = z.strictObject({
  name: z.string().min(1),
  why: z.string().min(1),
  /** The format according to the payload's metadata, even if the payload cannot be decrypted. */
  format: z.enum([...encryptedFormats, 'external', 'plain']),
  keys: z.strictObject({
    namespaces: z.record(z.string(), rule).optional(),
    default: rule.optional(),
    deny: z.array(bytes).optional(),
  }),
  codec: z
    .strictObject({
      namespace: z.string().optional(),
      maxDecompressedBytes: z.number().optional(),
      maxCallBytes: z.number().optional(),
    })
    .optional(),
  context: z.strictObject({ namespace: z.string(), workflowId: z.string().optional() }).optional(),
  kms: z.array(kmsAnswer),
  made: made.optional(),
  stored: payload,
  expect: z.union([z.strictObject({ payload }), z.strictObject({ code: z.enum(reasonCodes) })]),
  /** The crypto keys of all Cloud KMS calls, in the order of each key's first call. */
  asked: z.array(z.string()),
});

export const vectorFile = z.strictObject({ about: z.string().min(1), vectors: z.array(vector).min(1) });

export type VectorPayload = z.infer<typeof payload>;
export type VectorRule = z.infer<typeof rule>;
export type MadeHeader = z.infer<typeof madeHeader>;
export type VectorKmsAnswer = z.infer<typeof kmsAnswer>;
export type Vector = z.infer<typeof vector>;
export type VectorFile = z.infer<typeof vectorFile>;
