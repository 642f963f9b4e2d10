import { createHash } from 'node:crypto';

/** Where the courier is: a lap around a town, one stop after the other. */
export async function locateCourier(
  courier: string,
  stop: number,
  message: string,
): Promise<{ report: string; latitude: number; longitude: number }> {
  const angle = (stop * Math.PI) / 24;
  return {
    report: `${courier} is at stop ${stop} (${message})`,
    latitude: Number((53.55 + 0.05 * Math.sin(angle)).toFixed(5)),
    longitude: Number((9.99 + 0.08 * Math.cos(angle)).toFixed(5)),
  };
}

export interface Handover {
  readonly note: string;
  readonly signature: string;
}

export async function handOver(customer: string, address: string): Promise<Handover> {
  return {
    note: `Handed to ${customer} at ${address}`,
    signature: createHash('sha256').update(customer).digest('hex').slice(0, 16),
  };
}
