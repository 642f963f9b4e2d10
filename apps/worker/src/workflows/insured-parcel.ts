import { createNexusServiceClient } from '@temporalio/workflow';
import { insurance, type Parcel } from '../nexus/insurance.ts';

export interface InsuredParcelInput extends Parcel {
  /** The name of a Nexus endpoint whose worker handles `insurance`. */
  readonly endpoint: string;
}

/**
 * Calls two Nexus operations. The first operation returns immediately; the second operation runs a workflow
 * in the endpoint's namespace.
 */
export async function insuredParcel({ endpoint, customer, cents }: InsuredParcelInput): Promise<string> {
  const insurer = createNexusServiceClient({ service: insurance, endpoint });
  const options = (text: string) => ({
    scheduleToCloseTimeout: '30 seconds' as const,
    summary: `${text} for ${customer}`,
  });
  const quote = await insurer.executeOperation('quote', { customer, cents }, options('Quote'));
  const document = await insurer.executeOperation('insure', { customer, cents }, options('Insurance'));
  return `${quote}: ${document}`;
}
