import { z } from 'zod';
import { versionStates } from '../model/key-version.ts';

const seconds = z.number().nonnegative();
const count = z.number().int().positive();
const milliseconds = z.number().int().nonnegative();

export const clockBody = z.union([
  z.strictObject({ advanceSeconds: z.number() }),
  z.strictObject({ now: z.iso.datetime({ offset: true }) }),
]);

export const rotateBody = z.strictObject({ name: z.string().exactOptional() });

const status = z.enum([
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
]);

export const faultBody = z.strictObject({
  effect: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('error'), status, message: z.string().exactOptional() }),
    z.strictObject({ kind: z.literal('hang') }),
    z.strictObject({ kind: z.literal('corrupt_response') }),
    z.strictObject({ kind: z.literal('drop_checksums') }),
  ]),
  method: z.string().exactOptional(),
  identity: z.string().exactOptional(),
  resource: z.string().exactOptional(),
  times: count.exactOptional(),
  seconds: seconds.exactOptional(),
});

export const latencyBody = z.strictObject({
  all: milliseconds.exactOptional(),
  methods: z.record(z.string(), milliseconds).exactOptional(),
});

export const propagationBody = z.strictObject({
  disable: seconds.exactOptional(),
  primary: seconds.exactOptional(),
  iam: seconds.exactOptional(),
  generation: seconds.exactOptional(),
});

export const quotasBody = z.strictObject({
  read: z.number().int().nonnegative().exactOptional(),
  write: z.number().int().nonnegative().exactOptional(),
  software: z.number().int().nonnegative().exactOptional(),
  hsm: z.number().int().nonnegative().exactOptional(),
});

export const policyBody = z.strictObject({
  bindings: z.array(z.strictObject({ role: z.string(), members: z.array(z.string()) })),
});

export const versionStateBody = z.strictObject({
  name: z.string(),
  state: z.enum(versionStates),
  reason: z.string().exactOptional(),
});
