import type { PayloadFormat } from '@temporal-kms/codec-api';

/** Each format's description, and what its messages are bound to. */
export const payloadFormats: Readonly<Record<PayloadFormat, { name: string; bound: string }>> = {
  'envelope-v2': {
    name: 'Envelope, version 2: AES-256-GCM under a data key from a branch key that Cloud KMS wraps',
    bound: 'to its namespace',
  },
  envelope: {
    name: 'Envelope, version 1: AES-256-GCM under a data key that Cloud KMS wraps',
    bound: 'to its key only',
  },
  direct: { name: 'Encrypted by Cloud KMS itself', bound: 'to its key only' },
  proxy: { name: 'Temporal proxy: AES-256-GCM under a wrapped data key', bound: 'to its key only' },
  static: { name: 'SDK sample: AES-256-GCM under a static key', bound: 'to its key only' },
  external: { name: 'Reference to external storage', bound: 'not encrypted by this codec' },
  plain: { name: 'Not encrypted', bound: 'to nothing' },
};
