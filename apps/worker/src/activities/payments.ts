import { ApplicationFailure, activityInfo, heartbeat } from '@temporalio/activity';
import type { OrderItem } from './stock.ts';

/** Runs as a local activity: its result stands in a marker. */
export async function priceOrder(
  customer: string,
  items: readonly OrderItem[],
): Promise<{ cents: number; offer: string }> {
  const cents = items.reduce((sum, { quantity, cents: each }) => sum + quantity * each, 0);
  return { cents, offer: `Offer made to ${customer}` };
}

export async function chargeCard({ customer, cents }: { customer: string; cents: number }): Promise<string> {
  return `Receipt: ${customer} paid ${(cents / 100).toFixed(2)}`;
}

export async function awardPoints(customer: string, cents: number): Promise<string> {
  return `${Math.floor(cents / 100)} points for ${customer}`;
}

/** Always fails, and not to be tried again: the causes are three deep, the middle one with details. */
export async function authorizeCard(customer: string, cents: number): Promise<never> {
  const answer = new Error(`Issuer: card of ${customer} is blocked`);
  const refusal = ApplicationFailure.create({
    message: `Bank refused ${customer}`,
    type: 'BankRefused',
    details: [{ advice: `Ask ${customer} for another card`, cents }],
    cause: answer,
  });
  throw ApplicationFailure.create({
    message: `Card of ${customer} was not authorized`,
    type: 'CardRefused',
    nonRetryable: true,
    details: [{ holder: `Holder is ${customer}` }],
    cause: refusal,
  });
}

/** Fails with a heartbeat behind it until the bank opens. */
export async function transferFunds(merchant: string, bankOpensAtAttempt: number): Promise<string> {
  const { attempt } = activityInfo();
  heartbeat({ attempt, step: `Account of ${merchant} opened` });
  if (attempt !== bankOpensAtAttempt) {
    throw ApplicationFailure.retryable(`Bank of ${merchant} is closed`, 'BankClosed', { attempt });
  }
  return `Funds of ${merchant} transferred`;
}
