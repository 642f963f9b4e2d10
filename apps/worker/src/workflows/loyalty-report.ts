export interface LoyaltyReportInput {
  readonly customer: string;
  /** Null where the customer has none, which this release's code doesn't expect. */
  readonly membership: { readonly number: string } | null;
}

/**
 * A bug in workflow code: not a failed workflow but a failing workflow task, which Temporal tries again until a
 * corrected release is deployed.
 */
export async function loyaltyReport({ customer, membership }: LoyaltyReportInput): Promise<string> {
  if (!membership) throw new TypeError(`${customer} has no membership to report on`);
  return `${customer} is member ${membership.number}`;
}
