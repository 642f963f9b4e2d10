import type { Payload } from '../../src/formats/payload.ts';
import type { Observer } from '../../src/index.ts';
import { codecWith, cryptoKey, json, valueOf } from './codec.ts';
import { FakeKeyService } from './fake-key-service.ts';
import { context } from './fleet.ts';

export const rule = { pay: { encrypt: cryptoKey('pay') } };

type Revalidated = Parameters<NonNullable<Observer['keyRevalidated']>>[0];

/** Returns a reader that has decrypted another process's message. */
export async function readerOf(keyService = new FakeKeyService()) {
  const message = await codecWith(rule, { keyService }).codec.encode([json('secret')], context);
  const events: Revalidated[] = [];
  const lookups: string[] = [];
  const observer: Observer = {
    keyRevalidated: (event) => void events.push(event),
    dataKeyLookup: ({ outcome }) => void lookups.push(outcome),
  };
  const reader = codecWith(rule, { keyService, observer, waitMs: { activity: 5_000, other: 5_000 } });
  await reader.codec.decode(message, context);
  return { ...reader, message, keyService, events, lookups };
}

export const read = async (codec: Awaited<ReturnType<typeof readerOf>>['codec'], message: Payload[]) =>
  valueOf((await codec.decode(message, context))[0]);
