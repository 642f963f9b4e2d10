import type { KeyUse } from '@temporal-kms/codec-api';
import type { temporal } from '@temporalio/proto';
import { encodeBase64 } from './bytes.ts';

export type Payload = temporal.api.common.v1.IPayload;

/** `temporal.api.common.v1.Payload` in proto3 JSON, with padded base64 and without empty fields. */
export interface PayloadJson {
  metadata?: Record<string, string>;
  data?: string;
  externalPayloads?: { sizeBytes: string }[];
}

/** Returns a payload as proto3 JSON. */
export function payloadToJson(payload: Payload): PayloadJson {
  const json: PayloadJson = {};
  const metadata = Object.entries(payload.metadata ?? {});
  if (metadata.length > 0)
    json.metadata = Object.fromEntries(metadata.map(([key, value]) => [key, encodeBase64(value)]));
  if (payload.data && payload.data.length > 0) json.data = encodeBase64(payload.data);
  if (payload.externalPayloads && payload.externalPayloads.length > 0)
    json.externalPayloads = payload.externalPayloads.map((one) => ({
      sizeBytes: String(one.sizeBytes ?? 0),
    }));
  return json;
}

/** Returns the namespace that a message names, if it differs from the context's namespace. */
export const otherNamespace = (
  named: { readonly namespace?: string | undefined },
  context: { readonly namespace: string },
): { readonly namespace?: string } =>
  named.namespace === undefined || named.namespace === context.namespace
    ? {}
    : { namespace: named.namespace };

/** Returns the key that a payload or an error names, in the form that the API uses. */
export function keyOf(named: {
  readonly key?: string | undefined;
  readonly keyVersion?: number | undefined;
}): { readonly key?: KeyUse } {
  if (named.key === undefined && named.keyVersion === undefined) return {};
  return {
    key: {
      ...(named.key === undefined ? {} : { name: named.key }),
      ...(named.keyVersion === undefined ? {} : { version: named.keyVersion }),
    },
  };
}
