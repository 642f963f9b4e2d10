import { z } from 'zod';
import { logTypes } from '../model/iam/policies.ts';
import { versionStates } from '../model/key-version.ts';
import { State } from '../model/state.ts';

const time = z.number().int();
const duration = z.number().int().nonnegative();

const version = z.strictObject({
  number: z.number().int().positive(),
  algorithm: z.string(),
  protectionLevel: z.enum(['SOFTWARE', 'HSM']),
  createTime: time,
  locator: z.base64(),
  state: z.enum(versionStates),
  material: z.base64().exactOptional(),
  generateTime: time.exactOptional(),
  destroyTime: time.exactOptional(),
  destroyEventTime: time.exactOptional(),
  failureReason: z.string().exactOptional(),
  usableUntil: time.exactOptional(),
});

const cryptoKey = z.strictObject({
  name: z.string(),
  purpose: z.enum([
    'ENCRYPT_DECRYPT',
    'ASYMMETRIC_SIGN',
    'ASYMMETRIC_DECRYPT',
    'RAW_ENCRYPT_DECRYPT',
    'MAC',
    'KEY_ENCAPSULATION',
    'AES_WRAPPING',
  ]),
  createTime: time,
  importOnly: z.boolean(),
  destroyScheduledDuration: duration,
  versions: z.array(version),
  template: z.strictObject({ protectionLevel: z.enum(['SOFTWARE', 'HSM']), algorithm: z.string() }),
  labels: z.record(z.string(), z.string()),
  rotationPeriod: duration.exactOptional(),
  nextRotationTime: time.exactOptional(),
  primary: z
    .strictObject({
      number: z.number().int().positive(),
      previous: z.number().int().positive().exactOptional(),
      until: time.exactOptional(),
    })
    .exactOptional(),
});

const auditConfig = z.strictObject({
  service: z.string(),
  auditLogConfigs: z.array(
    z.strictObject({ logType: z.enum(logTypes), exemptedMembers: z.array(z.string()) }),
  ),
});

const snapshot = z.strictObject({
  format: z.literal('kms-emulator/1'),
  rings: z.array(z.strictObject({ name: z.string(), createTime: time })),
  keys: z.array(cryptoKey),
  policies: z.record(
    z.string(),
    z.strictObject({
      bindings: z.array(z.strictObject({ role: z.string(), members: z.array(z.string()) })),
      auditConfigs: z.array(auditConfig).exactOptional(),
    }),
  ),
});

/** Returns the text of the data file. */
export function write(state: State): string {
  const { rings, keys } = state.keys.all();
  const content = {
    format: 'kms-emulator/1',
    rings,
    keys,
    policies: Object.fromEntries(state.policies.all()),
  };
  return `${JSON.stringify(content, undefined, 2)}\n`;
}

/** Parses a data file. @throws ZodError or SyntaxError if the text is not a data file of this emulator */
export function read(text: string): State {
  const { rings, keys, policies } = snapshot.parse(JSON.parse(text));
  const state = new State();
  for (const ring of rings) state.keys.addKeyRing(ring);
  for (const key of keys) state.keys.addCryptoKey(key);
  for (const [resource, policy] of Object.entries(policies)) state.policies.set(resource, policy, 0);
  return state;
}
