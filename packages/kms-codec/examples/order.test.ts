import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestCodec } from '@temporal-kms/kms-codec/testing';
import { defaultPayloadConverter } from '@temporalio/common';

await test('encrypts a card', async () => {
  const codec = createTestCodec();
  const context = { namespace: 'payments' };

  const stored = await codec.encode([defaultPayloadConverter.toPayload('card 4111')], context);
  assert.equal(codec.inspect(stored[0]!, context).format, 'envelope-v2');
  assert.equal(Buffer.from(stored[0]!.data ?? []).includes('4111'), false);

  const [read] = await codec.decode(stored, context);
  assert.equal(defaultPayloadConverter.fromPayload(read!), 'card 4111');
  await assert.rejects(codec.decode(stored, { namespace: 'other' }), { code: 'namespace_mismatch' });
  await codec.close();
});
