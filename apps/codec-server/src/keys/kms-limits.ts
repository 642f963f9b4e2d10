/** Cloud KMS calls at the same time for one namespace: what one caller asks for must not use up its quota. */
export const CALLS_IN_FLIGHT = 16;

/** Keys whose state is asked for at the same time, at two calls each. */
export const DESCRIBED_AT_ONCE = CALLS_IN_FLIGHT / 2;

/** Data keys that one request may make the server ask Cloud KMS for. */
export const MAX_UNOPENED = 64;
