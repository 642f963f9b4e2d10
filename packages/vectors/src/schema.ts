import { readFileSync } from 'node:fs';
import { z } from 'zod';

/* The schema of the vector files. README.md explains how to run a vector; vectors.schema.json is generated. */

export const formats = ['envelope-v2', 'envelope', 'direct', 'proxy', 'static'] as const;

export const reasonCodes = z
  .strictObject({
    class: z.record(z.string(), z.enum(['retryable', 'restorable', 'permanent', 'information'])),
    keyRefused: z.array(z.string()),
  })
  .parse(JSON.parse(readFileSync(new URL('../files/reason-codes.json', import.meta.url), 'utf8')));

const code = z.enum(Object.keys(reasonCodes.class));

const bytes = z.string().regex(/^([0-9a-f]{2})*$/, 'must be bytes in hex');

/** The ids of the requirements in the specification that a vector proves. */
const requirements = z.array(z.string().regex(/^[A-Z]-\d+$/)).min(1);

export const payload = z.strictObject({
  metadata: z.record(z.string(), bytes),
  data: bytes,
  externalPayloads: z.array(z.strictObject({ sizeBytes: z.string().regex(/^-?\d+$/) })).optional(),
});

const reads = z.array(z.enum(formats));
const plaintext = z.enum(['pass', 'report', 'refuse']);
const workflowTag = z.enum(['require']);

/** An entry of the keys file, with static keys in hex instead of file names. */
const rule = z.strictObject({
  encrypt: z.string().optional(),
  decrypt: z.array(z.string()).optional(),
  accepts: z.array(z.string()).optional(),
  reads: reads.optional(),
  plaintext: plaintext.optional(),
  unsafe: z.array(z.enum(['direct-with-envelope'])).optional(),
  static: z.record(z.string(), bytes).optional(),
  workflowTag: workflowTag.optional(),
});

/** Cloud KMS's response to one Decrypt request. For any other request, the response is INVALID_ARGUMENT. */
const kmsAnswer = z.strictObject({
  key: z.string(),
  aad: bytes,
  ciphertext: bytes,
  plaintext: bytes.optional(),
  /** A gRPC status instead of a plaintext, and the key version's state if the caller may read this state. */
  status: z.string().optional(),
  state: z.string().optional(),
});

/** The fields of a `binary/envelope-kms-v2` header, before hashing. */
const madeHeader = z.strictObject({
  version: z.number().optional(),
  /** The flags. By default, bit 0 is set if there is a `workflowId`, and bit 1 if `compressed` is set. */
  flags: z.number().optional(),
  compressed: z.boolean().optional(),
  /** The crypto key. The default is the crypto key of `payments`. */
  cryptoKey: z.string().optional(),
  keyVersion: z.number().optional(),
  /** The namespace. The default is `payments`. */
  namespace: z.string().optional(),
  workflowId: z.string().optional(),
  /** The namespace in the workflow tag. The default is the field `namespace`. */
  workflowNamespace: z.string().optional(),
  salt: bytes.optional(),
  commitment: bytes.optional(),
  /** The field n. The default is the length of the wrapped branch key. */
  n: z.number().optional(),
});

/** How the data of a `binary/envelope-kms-v2` message was made. */
const made = z.strictObject({
  header: madeHeader.optional(),
  branchKey: z.strictObject({ plaintext: bytes, wrapped: bytes }).optional(),
  /** A data key that replaces the derived data key. */
  dataKey: bytes.optional(),
  /** The plaintext. The default is the expected payload in serialized form. */
  plaintext: bytes.optional(),
  /** A change to the message after encryption. */
  changed: z.strictObject({ at: z.number(), removed: z.number(), added: bytes }).optional(),
});

const message = z.strictObject({
  name: z.string().min(1),
  why: z.string().min(1),
  requirements,
  /** The format according to the payload's metadata, even if the payload cannot be decrypted. */
  format: z.enum([...formats, 'external', 'plain']),
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
  expect: z.union([z.strictObject({ payload }), z.strictObject({ code })]),
  /** The crypto keys of all Cloud KMS calls, in the order of each key's first call. */
  asked: z.array(z.string()),
});

/** A rule with its defaults filled in. */
const readRule = z.strictObject({
  encrypt: z.string().optional(),
  keys: z.array(z.string()),
  accepts: z.array(z.string()),
  reads,
  plaintext,
  static: z.record(z.string(), bytes),
  workflowTag: workflowTag.optional(),
});

const keysFile = z.strictObject({
  name: z.string().min(1),
  requirements,
  text: z.string(),
  /** The files of static keys in the same folder. */
  files: z.record(z.string(), bytes).optional(),
  rules: z
    .strictObject({
      namespaces: z.record(z.string(), readRule),
      default: readRule.optional(),
      deny: z.array(bytes).optional(),
    })
    .optional(),
  /** A part of the expected error message, if a reader must refuse the text. `rules` is then absent. */
  refused: z.string().optional(),
});

const strictYaml = z.strictObject({
  name: z.string().min(1),
  requirements,
  text: z.string().optional(),
  bytes: bytes.optional(),
  value: z.unknown().optional(),
  /** A part of the expected error message, if a reader must refuse the text. `value` is then absent. */
  refused: z.string().optional(),
});

/** A value that a starting process finds in a store of branch keys. */
const branchKeyEntry = z.strictObject({
  name: z.string().min(1),
  why: z.string().min(1),
  requirements,
  cryptoKey: z.string(),
  namespace: z.string(),
  /** The value's id in the store. */
  id: z.string(),
  entry: z.string(),
  deny: z.array(bytes).optional(),
  kms: z.array(kmsAnswer),
  /** The time at which the process encrypts, in milliseconds since 1970. */
  now: z.number(),
  expect: z.strictObject({
    /** The key with which the process encrypts. */
    encrypts: z.enum(['current', 'next', 'new']),
    /** What the process does with the value. */
    entry: z.enum(['kept', 'replaced']),
  }),
});

/** Returns the schema of a file that contains vectors of one kind. */
const fileOf = <T extends z.ZodType>(vector: T) =>
  z.strictObject({ about: z.string().min(1), vectors: z.array(vector).min(1) });

export const messageFile = fileOf(message);
export const keysFileFile = fileOf(keysFile);
export const strictYamlFile = fileOf(strictYaml);
export const branchKeyEntryFile = fileOf(branchKeyEntry);

/** Returns the content of `vectors.schema.json`. */
export const jsonSchema = (): object =>
  z.toJSONSchema(
    z
      .union([messageFile, keysFileFile, strictYamlFile, branchKeyEntryFile])
      .meta({ title: 'Test vectors of temporal-kms' }),
  );

export type VectorPayload = z.infer<typeof payload>;
export type VectorRule = z.infer<typeof rule>;
export type MadeHeader = z.infer<typeof madeHeader>;
export type VectorKmsAnswer = z.infer<typeof kmsAnswer>;
export type Vector = z.infer<typeof message>;
export type VectorFile = z.infer<typeof messageFile>;
