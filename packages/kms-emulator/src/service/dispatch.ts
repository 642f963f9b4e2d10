import { setTimeout as sleep } from 'node:timers/promises';
import type { CallInfo, FaultEffect } from '../conditions/faults.ts';
import type { Conditions } from '../conditions/conditions.ts';
import type { Clock } from '../model/clock.ts';
import type { MaterialSource } from '../model/crypto-key.ts';
import { internal, KmsError } from '../model/errors.ts';
import type { Caller } from '../model/iam/callers.ts';
import type { Store } from '../store/store.ts';
import { delaysOf } from './context.ts';
import { corruptResponse, dropChecksums } from './faults.ts';
import type { Method } from './methods.ts';
import { projectOf, resourceOf } from './resource.ts';

/** What all calls share. `report` gets the errors that are the emulator's own. */
export interface DispatchDeps {
  readonly store: Store;
  readonly conditions: Conditions;
  readonly clock: Clock;
  readonly source: MaterialSource;
  readonly report: (error: unknown) => void;
  readonly plaintext?: (bytes: Uint8Array) => void;
}

/** One incoming call. `signal` is aborted when the client gives up or the emulator stops. */
export interface IncomingCall {
  readonly name: string;
  readonly method: Method | undefined;
  readonly request: object;
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

/**
 * Answers a call: waits as long as it is told to, meets its fault, uses up quota, lets the time do its
 * work on the keys, runs the RPC, and answers only when what changed is on disk.
 *
 * @throws KmsError whatever happens but success.
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
  const request = await meet(effect, call);

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

/** The request as it arrives behind a fault. */
async function meet(effect: FaultEffect | undefined, { request, signal }: IncomingCall): Promise<object> {
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
