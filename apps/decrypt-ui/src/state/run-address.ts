import { createContext, useContext } from 'react';
import type { RunAddress } from '../api/client.ts';

export const RunAddressContext = createContext<RunAddress | undefined>(undefined);

export function useRunAddress(): RunAddress {
  const address = useContext(RunAddressContext);
  if (!address) throw new Error('No run around this component.');
  return address;
}
