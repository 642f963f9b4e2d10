export interface LoyaltyReportInput {
  readonly customer: string;
  /** `null` if the customer has no membership. Only `null` triggers the workflow's bug. */
  readonly membership: { readonly number: string } | null;
}

/**
 * Has a bug in workflow code. The workflow does not fail: Temporal retries its workflow task until a corrected release is
 * deployed.
 */
export async function loyaltyReport({ customer, membership }: LoyaltyReportInput): Promise<string> {
  if (!membership) throw new TypeError(`${customer} has no membership to report on`);
  return `${customer} is member ${membership.number}`;
}
