import { DefaultFailureConverter } from '@temporalio/common';

/**
 * Puts failure messages and stack traces into a payload, so that the codec seals them; without it Temporal stores them
 * in clear. A module of its own, free of Node and Cloud KMS, because workflow code bundles it: give its path as
 * `failureConverterPath`. Its failures read "Encoded failure" to whoever can't decode them; their type stays readable.
 */
export const failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
