import type { Payload } from '@temporal-kms/histories/payloads';
import type { KmsCodec, PayloadInfo } from '@temporal-kms/kms-codec';
import { isStorageReference } from '@temporal-kms/payload-storage';
import type { RequestSignal } from '../http/context.ts';
import type { NamespaceAccess } from '../http/namespace-access.ts';
import type { MemoryLease } from '../memory.ts';
import { allOrNone } from '../storage/all-or-none.ts';
import {
  type Located,
  nestedReference,
  type Prepared,
  type Retrieval,
  SENT_OBJECT_COST,
} from '../storage/retrieval.ts';

export interface RetrievedPayloadsOptions {
  readonly retrieval: Retrieval;
  readonly plan: (payloads: Payload[]) => ReturnType<KmsCodec['plan']>;
  readonly access: Pick<NamespaceAccess, 'recordObject'>;
  /** Lets the codec overwrite payloads. */
  readonly request: RequestSignal;
  /** Receives the content of each object. */
  readonly objects: Payload[];
  readonly lease: Pick<MemoryLease, 'take' | 'release'>;
  /**
   * Decrypts an object's content once the caller may make the Cloud KMS calls and it is the caller's turn.
   */
  readonly decrypt: (
    content: Payload,
    kmsCalls: number,
    work: () => Promise<Payload[]>,
  ) => Promise<Payload[]>;
}

/** The decrypted payload of an object, with a description of the object's content. */
export interface RetrievedPayload {
  readonly payload: Payload;
  readonly info: PayloadInfo | undefined;
}

/**
 * Reads and decrypts the objects to which payloads refer. One failure ends all reads, as in `KmsCodec`.
 * @param targets the objects, by the references' positions among the payloads of the request
 * @throws the same KmsCodecErrors as `Retrieval.read` and `KmsCodec.decode`; HttpError 413, 503
 */
export async function retrievedPayloads(
  targets: ReadonlyMap<number, Located>,
  options: RetrievedPayloadsOptions,
): Promise<ReadonlyMap<number, RetrievedPayload>> {
  // Fast path: most requests contain no reference.
  if (targets.size === 0) return new Map();
  const { retrieval, request, access } = options;
  const { signal } = request;
  const { recordObject } = access;
  const prepared = await retrieval.prepare([...targets.values()], { signal, recordObject });
  const positions = [...targets.keys()];
  const reads = prepared.map((one, index) => ({ n: positions[index] ?? 0, one }));
  return new Map(
    await allOrNone(reads, signal, async ({ n, one }, either) => {
      return [n, await retrieved(one, n, options, either)] as const;
    }),
  );
}

async function retrieved(
  prepared: Prepared,
  n: number,
  { retrieval, plan, access, request, objects, lease, decrypt }: RetrievedPayloadsOptions,
  signal: AbortSignal,
): Promise<RetrievedPayload> {
  const hold = (held: number) => {
    lease.take(held);
    return (released: number) => lease.release(released);
  };
  const { recordObject } = access;
  const { payload, bytes } = await retrieval.readPrepared(prepared, { signal, hold, recordObject });
  objects.push(payload);
  lease.take(Math.ceil(bytes * (SENT_OBJECT_COST - 1)));
  const content = plan([payload]);
  const calls = Array.from({ length: content.kmsCalls }, (_, call) => `payloads[${n}] ${call}`);
  request.innerKmsCalls?.reserve(calls);
  const [decrypted = payload] = await decrypt(payload, content.kmsCalls, () => content.decrypt(request));
  if (isStorageReference(decrypted)) throw nestedReference();
  return { payload: decrypted, info: content.payloads[0] };
}
