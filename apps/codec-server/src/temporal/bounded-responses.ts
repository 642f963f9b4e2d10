import { lookupType } from '@temporal-kms/histories/payloads';
import proto, { type temporal } from '@temporalio/proto';
import { HttpError } from '../errors.ts';
import type { MemoryLease } from '../memory.ts';
import { planOf } from './decode-plan.ts';
import { type Allowance, cut, MAX_VALUES, measure, type Measured, wireFields } from './wire-scan.ts';

/**
 * Maximum memory for a decoded response if no memory is reserved, because the server needs only a few of its
 * fields.
 */
const UNRESERVED: Allowance = { values: 2_000, bytes: 1024 * 1024 };

/** Memory for a decoded response. */
export interface ResponseMemory {
  /** Maximum bytes that may be reserved. */
  readonly share: number;
  readonly reserve: (bytes: number) => void;
}

/** Returns the lease's memory, for use by one response at a time. */
export const responseMemory = (lease: MemoryLease): ResponseMemory => ({
  share: lease.share,
  reserve: (bytes) => {
    lease.release();
    lease.take(bytes);
  },
});

const API = 'temporal.api.workflowservice.v1.';
const RESPONSES = [
  `${API}GetWorkflowExecutionHistoryResponse`,
  `${API}GetWorkflowExecutionHistoryReverseResponse`,
  `${API}DescribeWorkflowExecutionResponse`,
  `${API}ListWorkflowExecutionsResponse`,
  `${API}QueryWorkflowResponse`,
  `${API}ListSchedulesResponse`,
  `${API}DescribeScheduleResponse`,
];

interface Encoded {
  readonly bytes: Uint8Array;
  readonly typeName: string;
  readonly decode: (bytes: Uint8Array) => object;
}
const encoded = new WeakMap<object, Encoded>();

let isInstalled = false;

/**
 * Makes Temporal's client, in the whole process, leave responses that contain workflow data undecoded. Anyone
 * who may start a workflow decides what these responses contain, and the client would decode them completely,
 * however much memory that takes. `decodeResponse` decodes such a response; so does the first access to one
 * of its fields.
 */
export function boundResponses(): void {
  if (isInstalled) return;
  isInstalled = true;
  for (const typeName of RESPONSES) {
    const type = lookupType(typeName);
    const decode = type.setup().decode.bind(type);
    type.decode = (source, length) => {
      if (!(source instanceof Uint8Array)) return decode(source, length);
      const message = type.create();
      encoded.set(message, { bytes: source, typeName, decode });
      for (const { name } of type.fieldsArray) {
        Object.defineProperty(message, name, {
          configurable: true,
          enumerable: true,
          get: () => {
            for (const field of type.fieldsArray) Reflect.deleteProperty(message, field.name);
            Object.assign(message, decode(source));
            return Reflect.get(message, name);
          },
        });
      }
      return message;
    };
  }
}

/**
 * Reserves memory for a response from Temporal and decodes it. Cuts lists, maps and strings beyond
 * `MAX_VALUES` values, or beyond half of the memory that may be reserved.
 * @param memory if undefined, decodes only as much as fits into `UNRESERVED`
 * @throws HttpError; what `memory` throws
 */
export const decodeResponse = <T extends object>(response: T, memory?: ResponseMemory): T =>
  decoded(response, memory, true) ?? response;

/** Like `decodeResponse`, but returns undefined if the response would have to be cut. */
export const decodeWhole = <T extends object>(response: T, memory: ResponseMemory): T | undefined =>
  decoded(response, memory, false);

function decoded<T extends object>(
  response: T,
  memory: ResponseMemory | undefined,
  mayCut: boolean,
): T | undefined {
  const held = encoded.get(response);
  if (held === undefined) return response;
  const { bytes, typeName, decode } = held;
  const plan = planOf(typeName);
  const allowed = memory === undefined ? UNRESERVED : { values: MAX_VALUES, bytes: memory.share / 2 };
  const measured = measure(bytes, plan);
  const isCut = exceeds(measured, allowed) || measured.isMalformed;
  if (isCut && !mayCut) return undefined;
  memory?.reserve(Math.min(measured.bytes, allowed.bytes) + bytes.length);
  const kept = isCut || measured.hasSurplus ? cut(bytes, plan, allowed) : bytes;
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the decoder of the response's own type
    return decode(kept) as T;
  } catch (error) {
    throw new HttpError(500, 'internal', "Temporal's response could not be decoded.", { cause: error });
  }
}

const exceeds = ({ values, bytes }: Measured, allowed: Allowance): boolean =>
  values > allowed.values || bytes > allowed.bytes;

const { ENCODING_TYPE_PROTO3 } = proto.temporal.api.enums.v1.EncodingType;

type HistoryResponse = temporal.api.workflowservice.v1.IGetWorkflowExecutionHistoryResponse;

/** Returns a history page with its events encoded in `rawHistory`, in whichever form Temporal sent them. */
export function rawHistoryOf(response: HistoryResponse): HistoryResponse {
  const held = encoded.get(response);
  if (held === undefined) return response;
  const { bytes, typeName, decode } = held;
  const id = lookupType(typeName).fields['history']?.id;
  const blobs: temporal.api.common.v1.IDataBlob[] = [];
  const others: Uint8Array[] = [];
  for (const { number, start, content, end } of wireFields(bytes)) {
    if (number === id) blobs.push({ encodingType: ENCODING_TYPE_PROTO3, data: bytes.subarray(content, end) });
    else others.push(bytes.subarray(start, end));
  }
  const rest: HistoryResponse = decode(Buffer.concat(others));
  return { ...rest, rawHistory: [...(rest.rawHistory ?? []), ...blobs] };
}
