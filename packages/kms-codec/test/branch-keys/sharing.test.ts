import { describe, expect, it, vi } from 'vitest';
import { KmsCodecError } from '../../src/errors.ts';
import { codecWith, inNamespace, json } from '../support/codec.ts';
import {
  branchOf,
  context,
  distinct,
  entryIn,
  fleetOf,
  hour,
  MemoryStore,
  minute,
  rules,
  settle,
} from '../support/fleet.ts';

describe('a starting fleet', () => {
  it('encrypts with one branch key, which one process creates and the other processes adopt', async () => {
    const fleet = fleetOf(20);
    const messages = await fleet.encrypt();
    expect(distinct(messages.map(branchOf))).toBe(1);
    expect([fleet.store.won, fleet.store.ids.length]).toEqual([1, 1]);
    fleet.keyService.failing = 'kms_unavailable';
    for (const codec of fleet.codecs) expect(await codec.decode([...messages], context)).toHaveLength(20);
  });

  it('reports which processes created the branch key and which adopted it', async () => {
    const origins: string[] = [];
    const observer = { dataKeyRotated: ({ origin }: { origin: string }) => void origins.push(origin) };
    const fleet = fleetOf(3, { observer });
    await fleet.encrypt();
    expect(origins.toSorted()).toEqual(['created', 'store', 'store']);
    await fleet.pass(1.1 * hour);
    expect(origins.slice(3).toSorted()).toEqual(['created', 'store', 'store']);
  });

  it('makes only one Cloud KMS call for each process that starts after the first', async () => {
    const fleet = fleetOf(1);
    await fleet.encrypt();
    for (let n = 0; n < 10; n += 1) fleet.start();
    await fleet.encrypt();
    expect([fleet.keyService.wraps, fleet.keyService.unwraps]).toEqual([1, 10]);
  });

  it('has a branch key for each namespace, even if namespaces share a crypto key', async () => {
    const fleet = fleetOf(2);
    const [a] = await fleet.encrypt();
    const [b] = await fleet.codecs[1]!.encode([json('x')], inNamespace('bill'));
    expect(branchOf(a!)).not.toBe(branchOf(b!));
    expect(fleet.store.ids).toHaveLength(2);
  });

  it('does not store keys of the format envelope', async () => {
    const store = new MemoryStore();
    const { codec } = codecWith(rules, { branchKeyStore: store, format: 'envelope' });
    await codec.encode([json('x')], context);
    expect(store.loads).toBe(0);
  });

  it('passes the generation "absent" to the store when it creates a value', async () => {
    const fleet = fleetOf(1);
    const replace = vi.spyOn(fleet.store, 'replace');
    await fleet.encrypt();
    expect(replace).toHaveBeenCalledExactlyOnceWith(fleet.store.ids[0], expect.anything(), 'absent');
  });

  it('closes the store when a process closes its codec', async () => {
    const fleet = fleetOf(1);
    const close = vi.spyOn(fleet.store, 'close');
    await fleet.encrypt();
    expect(close).not.toHaveBeenCalled();
    await fleet.codecs[0]!.close();
    expect(close).toHaveBeenCalledOnce();
  });
});

it('rejects an unexpected error of the key service instead of creating a separate key', async () => {
  const fleet = fleetOf(1);
  await fleet.encrypt();
  const bug = new TypeError('bug');
  fleet.keyService.unwrap = () => Promise.reject(bug);
  await expect(fleet.start().encode([json('x')], context)).rejects.toBe(bug);
});

describe('a process that only reads', () => {
  it('unwraps each next key before any process encrypts with it, and can therefore read during a Cloud KMS outage', async () => {
    const fleet = fleetOf(3);
    const [message] = await fleet.encrypt();
    const reader = fleetOf(1, { ...fleet, branchKeyStore: fleet.store });
    await reader.codecs[0]!.decode([message!], context);
    for (let m = 0; m < 4 * 60; m += 1) {
      await fleet.pass(minute);
      reader.codecs[0]!.maintain();
      await settle();
      const messages = await fleet.encrypt();
      fleet.keyService.failing = 'kms_unavailable';
      expect(await reader.codecs[0]!.decode(messages, context)).toHaveLength(3);
      fleet.keyService.failing = undefined;
    }
    const { loads } = fleet.store;
    fleet.keyService.failing = 'kms_unavailable';
    await fleet.pass(hour);
    expect(await reader.codecs[0]!.decode(await fleet.encrypt(), context)).toHaveLength(3);
    expect(loads).toBeLessThan(100);
  });

  it('queries the store only for namespaces whose messages it has read', async () => {
    const fleet = fleetOf(1);
    await fleet.pass(hour);
    expect(fleet.store.loads).toBe(0);
  });

  it('does not query the store for a namespace whose keys Cloud KMS refuses to unwrap', async () => {
    const fleet = fleetOf(1);
    const [message] = await codecWith(rules).codec.encode(
      [json('under the key of another project')],
      context,
    );
    await expect(fleet.codecs[0]!.decode([message!], context)).rejects.toThrow(KmsCodecError);
    await fleet.pass(hour);
    expect(fleet.store.loads).toBe(0);
  });
});

describe('an identity that may only encrypt', () => {
  it('uses its own keys and does not replace the stored keys', async () => {
    const fleet = fleetOf(2);
    await fleet.encrypt();
    const before = entryIn(fleet.store);
    fleet.keyService.unwrap = () => Promise.reject(new KmsCodecError('permission_denied', 'rejected'));
    const client = fleet.start();
    await expect(client.encode([json('x')], context)).resolves.toHaveLength(1);
    await fleet.pass(minute);
    expect(entryIn(fleet.store)).toEqual(before);
    expect(fleet.events).toContain('adopt not_permitted');
  });
});
