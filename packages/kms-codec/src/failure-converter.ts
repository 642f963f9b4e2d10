import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Moves failure messages and stack traces into a payload, so that the codec encrypts them. Without it Temporal stores them
 * in plaintext. Workflow code bundles this module, so it uses neither Node nor Cloud KMS: pass its path as
 * `failureConverterPath`. Clients without the codec see "Encoded failure" as the message; the failure's type stays readable.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
