import type { KeyUse } from '@temporal-kms/codec-api';
import type { temporal } from '@temporalio/proto';

export type Payload = temporal.api.common.v1.IPayload;

/** Returns the namespace that a message names, if it differs from that of its context. */
export const otherNamespace = (
  named: { readonly namespace?: string | undefined },
  context: { readonly namespace: string },
): { readonly namespace?: string } =>
  named.namespace === undefined || named.namespace === context.namespace
    ? {}
    : { namespace: named.namespace };

/** Returns the key that a payload or an error names, in the form of the API. */
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
