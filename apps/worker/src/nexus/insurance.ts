import * as nexus from 'nexus-rpc';

export interface Parcel {
  readonly customer: string;
  readonly cents: number;
}

/** A Nexus service of an insurer, whose workflows run in the insurer's namespace. */
export const insurance = nexus.service('insurance', {
  /** A synchronous operation. */
  quote: nexus.operation<Parcel, string>(),
  /** Starts the workflow `policy`. */
  insure: nexus.operation<Parcel, string>(),
});
