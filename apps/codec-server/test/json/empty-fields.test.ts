import { payloadToJson } from '@temporal-kms/histories/payloads';
import { bodyOf, readableText } from '@temporal-kms/histories/readable';
import proto from '@temporalio/proto';
import { expect, it } from 'vitest';
import { textFinder } from '../../src/history/payload-text.ts';
import { buildPayloads } from '../../src/json/payload-json.ts';

// The bytes are a metadata entry with the key `encoding` and no value. Anyone who may start a workflow can
// write such an entry. protobufjs reads the absent value and the absent data as empty arrays.
const bytes = Uint8Array.from([0x0a, 10, 0x0a, 8, ...Buffer.from('encoding')]);
const payload = proto.temporal.api.common.v1.Payload.decode(bytes);

it('writes payloads with empty fields in all JSON forms', () => {
  expect(payloadToJson(payload)).toEqual({ metadata: { encoding: '' } });
  expect(JSON.parse(buildPayloads([payload]).toString())).toEqual({
    payloads: [{ metadata: { encoding: '' } }],
  });
  expect(JSON.parse(readableText(bodyOf(payload)))).toEqual({ $bytes: '', encoding: '' });
  expect(textFinder({ text: 'a', caseSensitive: true })(bodyOf(payload))).toEqual([]);
});
