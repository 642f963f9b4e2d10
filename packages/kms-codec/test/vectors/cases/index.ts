import { reasonClass, reasonCodes, reasons } from '../../../src/reason-codes.ts';
import { acceptance } from './acceptance.ts';
import { compression } from './compression.ts';
import { direct } from './direct.ts';
import { fixedKeys, proxy } from './encrypted.ts';
import { envelopeV2Refused } from './envelope-v2-refused.ts';
import { envelopeV2 } from './envelope-v2.ts';
import { envelope } from './envelope.ts';
import { kmsAnswers } from './kms-answers.ts';
import { layers } from './layers.ts';
import { profile } from './profile.ts';
import { rules } from './rules.ts';

/** The files of generate.ts, by name. */
export const generated: Readonly<Record<string, object>> = {
  'envelope-v2.json': envelopeV2,
  'envelope-v2-refused.json': envelopeV2Refused,
  'envelope-v2-zstd.json': compression,
  'envelope.json': envelope,
  'direct.json': direct,
  'proxy.json': proxy,
  'static.json': fixedKeys,
  'acceptance.json': acceptance,
  'kms-answers.json': kmsAnswers,
  'layers.json': layers,
  'rules.json': rules,
  'payload-profile.json': profile,
  'files/reason-codes.json': {
    class: Object.fromEntries(reasonCodes.map((code) => [code, reasonClass(code)])),
    keyRefused: reasonCodes.filter((code) => reasons[code].refused !== undefined),
  },
};
