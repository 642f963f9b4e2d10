import type { Payload } from '@temporal-kms/histories/payloads';
import { KmsCodecError } from '@temporal-kms/kms-codec';
import { codeOf } from '@temporal-kms/node-utils/error-details';
import {
  type ObjectStorage,
  objectUri,
  parseStorageReference,
  type StorageReference,
  type StoredObject,
} from '@temporal-kms/payload-storage';
import { readPayloadStart } from '../storage/payload-start.ts';
import { describePayload, type KnownNames, type PayloadDescription } from './describe-payload.ts';

export type DescribePayload = (payload: Payload, known: KnownNames) => Promise<PayloadDescription>;

/**
 * Returns a function that describes payloads and, in place of a reference, the content of the object. The function
 * reads the first bytes of an object once for each workflow. If the function cannot read these bytes, it describes the
 * reference and adds the reason.
 * @param namespaces the namespaces whose objects the function may read
 * @param onProblem called with the reason in words
 */
export function describeStored(
  storage: ObjectStorage,
  namespaces: readonly string[],
  onProblem: (message: string) => void,
): DescribePayload {
  const described = new Map<string, Promise<PayloadDescription>>();
  return async (payload, known) => {
    const own = describePayload(payload, known);
    if (own.state !== 'reference') return own;
    let object: string | undefined;
    try {
      const reference = parseStorageReference(payload);
      object = objectUri(reference);
      const located = locateIn(namespaces, storage, reference);
      object = located.name;
      const { storeId, object: name, sizeBytes } = located;
      const id = JSON.stringify([storeId, name, String(sizeBytes), known.workflowId]);
      const content = described.get(id) ?? describeObject(storage, located, known);
      described.set(id, content);
      return await content;
    } catch (error) {
      if (!(error instanceof KmsCodecError)) throw error;
      onProblem(error.message);
      return { ...own, ...(object === undefined ? {} : { object }), reason: error.code };
    }
  };
}

async function describeObject(
  storage: ObjectStorage,
  located: StoredObject,
  known: KnownNames,
): Promise<PayloadDescription> {
  const { payload, dataBytes } = await readPayloadStart(storage, located);
  const content = describePayload(payload, known);
  return {
    ...content,
    bytes: dataBytes,
    object: located.name,
    layers: ['external storage', ...content.layers],
  };
}

/**
 * Returns the object to which a reference points, if one of the namespaces may read that object.
 * @throws KmsCodecError if no namespace may read the object; prefers the error of a namespace with a store for the
 * reference's driver
 */
function locateIn(
  namespaces: readonly string[],
  storage: ObjectStorage,
  reference: StorageReference,
): StoredObject {
  const errors: unknown[] = [];
  for (const namespace of namespaces) {
    try {
      return storage.locate(namespace, reference);
    } catch (error) {
      errors.push(error);
    }
  }
  throw errors.find((error) => codeOf(error) === 'storage_not_allowed') ?? errors[0];
}

/**
 * Whether a payload cannot be read, because its header is damaged, or because its object is gone or altered, or may not
 * be read.
 */
export const isDamaged = ({ state, reason }: Pick<PayloadDescription, 'state' | 'reason'>): boolean =>
  state === 'damaged' || (state === 'reference' && reason !== undefined);
