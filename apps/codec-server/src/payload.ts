import type { KeyUse } from '@temporal-kms/codec-api';
import type { temporal } from '@temporalio/proto';

export type Payload = temporal.api.common.v1.IPayload;

/** The namespace that a message names, where it is another one than that of its context. */
export const otherNamespace = (
  named: { readonly namespace?: string | undefined },
  context: { readonly namespace: string },
): { readonly namespace?: string } =>
  named.namespace === undefined || named.namespace === context.namespace
    ? {}
    : { namespace: named.namespace };

/** The key that a payload or an error names, as the API writes it. */
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
