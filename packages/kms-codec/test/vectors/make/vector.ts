import { z } from 'zod';
import { reasonCodes } from '../../../src/errors.ts';
import { encryptedFormats, unsafeSettings } from '../../../src/keys/key-rules.ts';

/* The shape of test/vectors/*.json. Their README.md explains how to run a vector. */

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

/** The answer of Cloud KMS to one Decrypt. It answers INVALID_ARGUMENT to any other. */
const kmsAnswer = z.strictObject({
  key: z.string(),
  aad: bytes,
  ciphertext: bytes,
  plaintext: bytes.optional(),
  /** A gRPC status instead of plaintext, and the version's state if the caller may read it. */
  status: z.string().optional(),
  state: z.string().optional(),
});

/** The fields of a header of `binary/envelope-kms-v2`, before they are hashed. */
const madeHeader = z.strictObject({
  version: z.number().optional(),
  /** Default: bit 0 by `workflowId`, bit 1 by `compressed`. */
  flags: z.number().optional(),
  compressed: z.boolean().optional(),
  /** Default: that of `payments`. */
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

/** How the data of a `binary/envelope-kms-v2` message was made. */
const made = z.strictObject({
  header: madeHeader.optional(),
  branchKey: z.strictObject({ plaintext: bytes, wrapped: bytes }).optional(),
  /** The data key, instead of that which is derived. */
  dataKey: bytes.optional(),
  /** Default: the serialization of the expected payload. */
  plaintext: bytes.optional(),
  /** What was changed after encryption. */
  changed: z.strictObject({ at: z.number(), removed: z.number(), added: bytes }).optional(),
});

const vector = z.strictObject({
  name: z.string().min(1),
  why: z.string().min(1),
  /** The format by the payload's metadata, whether or not it decrypts. */
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
  /** Exactly the crypto keys of the calls to Cloud KMS, in the order of the first call. */
  asked: z.array(z.string()),
});

export const vectorFile = z.strictObject({ about: z.string().min(1), vectors: z.array(vector).min(1) });

export type VectorPayload = z.infer<typeof payload>;
export type VectorRule = z.infer<typeof rule>;
export type MadeHeader = z.infer<typeof madeHeader>;
export type VectorKmsAnswer = z.infer<typeof kmsAnswer>;
export type Vector = z.infer<typeof vector>;
export type VectorFile = z.infer<typeof vectorFile>;
