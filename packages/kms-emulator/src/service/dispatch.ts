import { setTimeout as sleep } from 'node:timers/promises';
import type { CallInfo, FaultEffect } from '../conditions/faults.ts';
import type { Conditions } from '../conditions/conditions.ts';
import type { Clock } from '../model/clock.ts';
import type { MaterialSource } from '../model/crypto-key.ts';
import { internal, KmsError } from '../model/errors.ts';
import type { Caller } from '../model/iam/callers.ts';
import type { Store } from '../store/store.ts';
import { delaysOf } from './context.ts';
import type { Method } from './methods.ts';

/** The objects that all calls share. `report` receives the emulator's own errors. */
export interface DispatchDeps {
  readonly store: Store;
  readonly conditions: Conditions;
  readonly clock: Clock;
  readonly source: MaterialSource;
  readonly report: (error: unknown) => void;
  readonly plaintext?: (bytes: Uint8Array) => void;
}

/** An incoming call. `signal` is aborted when the client cancels the call or the emulator stops. */
export interface IncomingCall {
  readonly name: string;
  readonly method: Method | undefined;
  readonly request: object;
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

/**
 * Handles a call: waits for the configured latency, applies a fault, counts the call against its quota,
 * performs the rotations and destructions that are due, runs the RPC, saves all changes, and returns the
 * RPC's response.
 *
 * @throws KmsError for every failure
 */
export async function dispatch(deps: DispatchDeps, call: IncomingCall): Promise<object> {
  const info = { method: call.name, identity: call.caller, resource: resourceOf(call.request) };
  deps.conditions.calls.begin();
  try {
    const response = await answer(deps, call, info);
    deps.conditions.calls.end(info, 'OK');
    for (const message of [call.request, response]) {
      if ('plaintext' in message && message.plaintext instanceof Uint8Array)
        deps.plaintext?.(message.plaintext);
    }
    return response;
  } catch (error) {
    if (!(error instanceof KmsError)) deps.report(error);
    const known = error instanceof KmsError ? error : internal();
    deps.conditions.calls.end(info, known.status);
    throw known;
  }
}

async function answer(deps: DispatchDeps, call: IncomingCall, info: CallInfo): Promise<object> {
  const { store, conditions, clock, source } = deps;
  const latency = conditions.latencyOf(call.name);
  if (latency > 0) await waitFor(latency, call.signal);

  const effect = conditions.faults.take(info, clock.now());
  const request = await applyFault(effect, call);

  if (call.method === undefined) throw new KmsError('UNIMPLEMENTED', `The emulator has no ${call.name}.`);
  const { quota } = call.method;
  const now = clock.now();
  if (quota !== undefined) conditions.quotas.use(quota, projectOf(info.resource), now);

  store.state.keys.advance(now, source, delaysOf({ conditions }));
  const response = call.method.run(request, {
    state: store.state,
    conditions,
    source,
    caller: call.caller,
    now,
  });
  await store.save();
  return effect?.kind === 'corrupt_response' ? corruptResponse(response) : response;
}

/** Applies the effect of a fault to a request, and returns the request. */
async function applyFault(
  effect: FaultEffect | undefined,
  { request, signal }: IncomingCall,
): Promise<object> {
  switch (effect?.kind) {
    case 'error':
      throw new KmsError(effect.status, effect.message ?? `Injected fault: ${effect.status}.`);
    case 'hang':
      await waitFor(2 ** 31 - 1, signal);
      throw new KmsError('UNAVAILABLE', 'The emulator never answers this call.');
    case 'drop_checksums':
      return dropChecksums(request);
    default:
      return request;
  }
}

async function waitFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    throw new KmsError('CANCELLED', 'The call was cancelled.');
  }
}

/** The fields in which requests name their resource, in order of precedence. */
const fields = ['name', 'parent', 'resource', 'location'] as const;

/** Returns the resource name in a request, or an empty string if the request has none. */
function resourceOf(request: object): string {
  for (const field of fields) {
    const value: unknown = Reflect.get(request, field);
    if (typeof value === 'string') return value;
  }
  for (const field of ['cryptoKey', 'cryptoKeyVersion']) {
    const value: unknown = Reflect.get(request, field);
    if (typeof value === 'object' && value !== null) return resourceOf(value);
  }
  return '';
}

/** Returns the project in a resource name, or an empty string if there is no project. */
const projectOf = (resource: string): string => /^projects\/([^/]+)/.exec(resource)?.[1] ?? '';

const dataFields = ['ciphertext', 'plaintext', 'data', 'signature'];
const checksumField = /Crc32c$/;

/**
 * Returns the request without its checksums. For a request without checksums, Cloud KMS returns false in the
 * fields `verified_*`.
 */
const dropChecksums = (request: object): object =>
  Object.fromEntries(Object.entries(request).filter(([field]) => !checksumField.test(field)));

/** Returns the response with one flipped bit in its data, and the checksum of the correct data. */
function corruptResponse(response: object): object {
  return Object.fromEntries(
    Object.entries(response).map(([field, value]: [string, unknown]) => [
      field,
      dataFields.includes(field) && value instanceof Uint8Array ? withFlippedBit(value) : value,
    ]),
  );
}

function withFlippedBit(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const last = copy.length - 1;
  copy[last] = (copy[last] ?? 0) ^ 1;
  return copy;
}
