/** Bytes of payloads, as stored, that one request has open or waiting to be taken at the same time; one may exceed it. */
export const UNDER_WAY_BYTES = 8 * 1024 * 1024;

/** What holding one costs beside its payloads. */
export const OVERHEAD_BYTES = 1_024;
