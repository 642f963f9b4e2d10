import type { PayloadRef, PayloadStub } from '@temporal-kms/codec-api';
import { createDecoder, type Payloads } from '../payloads/decoder.ts';
import { type PlaintextCache, runScope } from '../payloads/reveal/plaintext-cache.ts';
import { accessTo, type Reveals } from '../payloads/reveal/reveals.ts';
import type { RunAddress } from '../session/server/addresses.ts';
import type { ApiClient } from '../session/server/client.ts';
import { decodeSchedule } from './api.ts';

interface SchedulePayloadsOptions {
  readonly api: ApiClient;
  readonly reveals: Reveals;
  readonly plaintext: PlaintextCache;
}

/**
 * Creates the object that decodes a schedule's payloads. Call `setStubs` with the stubs of each new
 * description.
 */
export function createSchedulePayloads(
  address: RunAddress,
  { api, reveals, plaintext }: SchedulePayloadsOptions,
): { readonly payloads: Payloads; readonly setStubs: (stubs: readonly PayloadStub[]) => void } {
  let known = new Map<PayloadRef, PayloadStub>();
  const place: Payloads['place'] = (ref) => ({
    run: address,
    ref,
    otherNamespace: known.get(ref)?.namespace,
  });
  const id = { namespace: address.namespace, id: address.workflowId };
  return {
    payloads: {
      decoder: createDecoder({
        decode: (refs, signal, justification) => decodeSchedule(api, id, refs, signal, justification),
        access: {
          of: (ref) => accessTo(reveals.store.getState(), place(ref)),
          subscribe: (listener) => reveals.store.subscribe(listener),
        },
        cache: plaintext,
        scope: runScope(address),
        stub: (ref) => known.get(ref),
      }),
      place,
      ofEvent: () => [],
      target: (refs) => ({ kind: 'payloads', run: address, refs }),
    },
    setStubs: (stubs) => {
      known = new Map(stubs.map((stub) => [stub.ref, stub]));
    },
  };
}
