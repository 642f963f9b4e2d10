import type { VectorFile } from '../make/vector.ts';
import { length, version } from './refused/header.ts';
import { committed, underived, unwrapped } from './refused/keys.ts';
import { authenticated } from './refused/message.ts';
import { allowed, bound } from './refused/scope.ts';

/* The reader's checks of docs/wire-formats.md, in their order, and which of two mistakes is reported first. */
export const envelopeV2Refused: VectorFile = {
  about: 'binary/envelope-kms-v2: messages that the reader refuses, in the order of its checks.',
  vectors: [
    ...length,
    ...version,
    ...bound,
    ...allowed,
    ...unwrapped,
    ...underived,
    ...committed,
    ...authenticated,
  ],
};
