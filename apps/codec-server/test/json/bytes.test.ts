import { PIECE_BYTES } from '@temporal-kms/histories/bytes';
import { expect, test } from 'vitest';
import { jsonLine, withDeferredData } from '../../src/json/bytes.ts';

const line = (data: string) => ({
  ref: '1:0',
  ok: true,
  payload: { metadata: { data: '', note: '"data":""' }, data },
  key: { name: '"data":""' },
});

test.each([1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES + 2])(
  'writes a line with %d bytes of deferred data in base64',
  (length) => {
    const data = Buffer.alloc(length, 'some bytes, not a multiple of three');
    const pieces = [...jsonLine(withDeferredData(line(''), data))];
    expect(pieces.join('')).toBe(`${JSON.stringify(line(data.toString('base64')))}\n`);
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual((PIECE_BYTES / 3) * 4);
  },
);

test('writes a line without deferred data in one piece', () => {
  expect([...jsonLine(line('AA=='))]).toEqual([`${JSON.stringify(line('AA=='))}\n`]);
});
