import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyManagementServiceClient } from '@google-cloud/kms';
import { onTestFinished } from 'vitest';
import { startEmulator, type Emulator, type EmulatorOptions } from '../../src/index.ts';
import { connect } from './client.ts';

/**
 * Registers a function to run after the current test. The registered functions run in reverse order. This module itself
 * must not call `afterEach`: test files share a process, so the module is evaluated only for the first of them.
 */
export function afterwards(close: () => Promise<unknown>): void {
  onTestFinished(async () => void (await close()));
}

/** Returns a folder that exists until the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kms-emulator-'));
  afterwards(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Returns Google's client for an address, and closes it after the test. */
export function clientOf(address: string): KeyManagementServiceClient {
  const client = connect(address);
  afterwards(() => client.close());
  return client;
}

/** Starts an emulator and a client of its owner, for one test. */
export async function start(
  options: EmulatorOptions = {},
): Promise<{ emulator: Emulator; client: KeyManagementServiceClient }> {
  const emulator = await startEmulator(options);
  afterwards(() => emulator.close());
  return { emulator, client: clientOf(emulator.address) };
}

export const RING = 'projects/p/locations/global/keyRings/r';
export const KEY = `${RING}/cryptoKeys/k`;
export const VERSION = `${KEY}/cryptoKeyVersions/1`;
export const DAY = 24 * 3600;

/** Returns the status of a response to a request with headers that `fetch` does not send. */
export const statusOf = (
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Promise<number> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.once('error', reject);
    sent.end(body);
  });
