import assert from 'node:assert/strict';
import { buildHeader, parseHeader } from '../../src/formats/envelope-v2-header.ts';
import { messageHeader } from '../../src/formats/message-header.ts';
import { messageFiles } from '@temporal-kms/vectors/files';
import { outcomeOf } from './outcome.ts';

/*
 * The input is the header of an `envelope-v2` message. A header is accepted only if it is complete and in the
 * only valid encoding of its fields, whatever bytes follow.
 */

export const reaches = ['accepted', 'malformed', 'unsupported_version'];

export const fuzz = (data: Uint8Array): Promise<string> =>
  outcomeOf(async () => {
    const { header, length } = parseHeader(data);
    const alone = data.subarray(0, length);
    assert.deepEqual(Buffer.from(buildHeader(header)), Buffer.from(alone));
    assert.deepEqual(messageHeader(alone), messageHeader(data));
    assert.equal(await outcomeOf(() => parseHeader(alone.subarray(0, -1))), 'malformed');
  });

export const seeds = (): Uint8Array[] =>
  messageFiles
    .flatMap(({ vectors }) => vectors)
    .filter(({ format }) => format === 'envelope-v2')
    .map(({ stored }) => Buffer.from(stored.data, 'hex'));
