import type { Payload, PayloadCodec } from '@temporalio/common';
import { OWN_PAYLOAD } from '../own-runs.ts';

const mark = { [OWN_PAYLOAD]: new TextEncoder().encode('1') };

/** Marks payloads in a scan's workflows, so that scans do not report them as payloads that programs should encrypt. */
export const ownPayloads: PayloadCodec = {
  encode: (payloads) =>
    Promise.resolve(
      payloads.map((payload): Payload => ({ ...payload, metadata: { ...payload.metadata, ...mark } })),
    ),
  decode: (payloads) => Promise.resolve(payloads),
};
