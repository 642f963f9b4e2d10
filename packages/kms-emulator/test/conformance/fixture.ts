import type { protos } from '@google-cloud/kms';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { refusal, refusalCode } from '../support/client.ts';
import type { Service } from '../support/targets.ts';

type V1 = typeof protos.google.cloud.kms.v1;
export type CryptoKey = protos.google.cloud.kms.v1.ICryptoKey;
export type CryptoKeyVersion = protos.google.cloud.kms.v1.ICryptoKeyVersion;
type CreateCryptoKey = protos.google.cloud.kms.v1.ICreateCryptoKeyRequest;

/** The gRPC codes in the client's errors. */
export const code = {
  INVALID_ARGUMENT: 3,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  UNAVAILABLE: 14,
} as const;

/**
 * Expects that Cloud KMS refuses each call as invalid.
 * @param calls each call, under a description of its mistake
 */
export async function expectInvalid(calls: Readonly<Record<string, () => Promise<unknown>>>): Promise<void> {
  for (const [what, call] of Object.entries(calls))
    expect(await refusalCode(call()), what).toBe(code.INVALID_ARGUMENT);
}

/** Expects that Cloud KMS refuses each call. @param calls each call with its expected status */
export async function expectRefusals(
  calls: Partial<Record<keyof typeof code, readonly (() => Promise<unknown>)[]>>,
): Promise<void> {
  for (const [status, ofStatus] of Object.entries(calls))
    for (const call of ofStatus)
      expect(await refusalCode(call()), String(call)).toBe(Reflect.get(code, status));
}

const RING = 'kms-emulator-conformance';

/**
 * A service with one key ring. Cloud KMS never deletes key rings, so all runs share a key ring. Each test
 * creates new keys, and at the end the fixture schedules the versions of these keys for destruction.
 */
export class Fixture {
  readonly service: Service;
  readonly ring: string;
  readonly #keys: string[] = [];

  constructor(service: Service) {
    this.service = service;
    this.ring = `${service.location}/keyRings/${RING}`;
  }

  static async open(opening: Promise<Service>): Promise<Fixture> {
    const fixture = new Fixture(await opening);
    const { client, location } = fixture.service;
    try {
      await client.createKeyRing({ parent: location, keyRingId: RING, keyRing: {} });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === code.ALREADY_EXISTS)) throw error;
    }
    return fixture;
  }

  get client() {
    return this.service.client;
  }

  /** Creates a key. By default, the key has the purpose ENCRYPT_DECRYPT and a first version. */
  async createKey(key: CryptoKey = {}, options: CreateCryptoKey = {}): Promise<CryptoKey & { name: string }> {
    const [created] = await this.client.createCryptoKey({
      parent: this.ring,
      cryptoKeyId: randomId(),
      cryptoKey: { purpose: 'ENCRYPT_DECRYPT', ...key },
      ...options,
    });
    const name = created.name ?? '';
    this.#keys.push(name);
    return { ...created, name };
  }

  async createEmptyKey(key: CryptoKey = {}): Promise<CryptoKey & { name: string }> {
    return this.createKey(key, { skipInitialVersionCreation: true });
  }

  async createVersion(parent: string): Promise<CryptoKeyVersion & { name: string }> {
    const [version] = await this.client.createCryptoKeyVersion({ parent, cryptoKeyVersion: {} });
    return { ...version, name: version.name ?? '' };
  }

  async setState(name: string, state: keyof V1['CryptoKeyVersion']['CryptoKeyVersionState']) {
    const [version] = await this.client.updateCryptoKeyVersion({
      cryptoKeyVersion: { name, state },
      updateMask: { paths: ['state'] },
    });
    return version;
  }

  /** Repeats a call until a change has propagated and Cloud KMS refuses the call. Returns the refusal. */
  async eventuallyRefused(call: () => Promise<unknown>) {
    const until = Date.now() + this.service.propagationMs;
    for (;;) {
      try {
        await call();
      } catch (error) {
        return refusal(Promise.reject(error));
      }
      if (Date.now() >= until) throw new Error('The call still succeeds after the propagation time.');
      await sleep(5000);
    }
  }

  /** Repeats a call until `right` accepts its response, and returns the response. */
  async eventually<T>(call: () => Promise<T>, right: (answer: T) => boolean): Promise<T> {
    const until = Date.now() + this.service.propagationMs;
    for (;;) {
      const answer = await call();
      if (right(answer) || Date.now() >= until) return answer;
      await sleep(5000);
    }
  }

  async close(): Promise<void> {
    for (const parent of this.#keys) {
      const [versions] = await this.client.listCryptoKeyVersions({ parent });
      for (const { name, state } of versions) {
        if (state === 'ENABLED' || state === 'DISABLED') {
          await this.client.destroyCryptoKeyVersion({ name: name ?? null });
        }
      }
    }
    await this.service.close();
  }
}

export const randomId = (): string => `k-${randomUUID()}`;

/** Returns the seconds since the epoch of a timestamp that the client decoded. */
export const secondsOf = (time: protos.google.protobuf.ITimestamp | null | undefined): number =>
  Number(time?.seconds ?? Number.NaN);
