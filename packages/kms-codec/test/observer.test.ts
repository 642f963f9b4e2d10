import { expect, it } from 'vitest';
import { codecWith, cryptoKey, inNamespace, json } from './support/codec.ts';
import { FakeKeyService } from './support/fake-key-service.ts';

const rule = { pay: { encrypt: cryptoKey('pay') } };
const context = inNamespace('pay');

function recordEvents() {
  const events: string[] = [];
  const observer = {
    encrypted: () => void events.push('encrypted'),
    decrypted: () => void events.push('decrypted'),
    refused: () => void events.push('refused'),
  };
  return { events, observer };
}

it('the codec notifies the observer after it has encrypted or decrypted a payload', async () => {
  const { events, observer } = recordEvents();
  const { codec } = codecWith(rule, { observer });
  // The first encode waits for its data key; the second does not.
  const waited = codec.encode([json(1)], context);
  expect(events).toEqual([]);
  await codec.decode(await waited, context);
  await codec.encode([json(2)], context);
  expect(events).toEqual(['encrypted', 'decrypted', 'encrypted']);
});

it('the codec reports a failed payload to the observer only once, as refused', async () => {
  const keyService = new FakeKeyService();
  const encrypted = await codecWith(rule, { keyService }).codec.encode([json(1)], context);
  const { events, observer } = recordEvents();
  const { codec } = codecWith(rule, { keyService, observer, waitMs: { other: 20 } });
  keyService.latencyMs = 60_000;
  await expect(codec.decode(encrypted, context)).rejects.toMatchObject({ code: 'kms_unavailable' });
  await expect(codec.encode([json(1)], context)).rejects.toMatchObject({ code: 'kms_unavailable' });
  expect(events).toEqual(['refused', 'refused']);
});
