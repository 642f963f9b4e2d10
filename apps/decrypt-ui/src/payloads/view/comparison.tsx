import type { PayloadStub } from '@temporal-kms/codec-api';
import { createContext, type ReactNode, useContext } from 'react';

export interface ComparisonProps {
  readonly stub: PayloadStub;
  readonly title: string;
  readonly onClose: () => void;
}

/** Renders the dialog that compares a payload with another payload. */
type RenderComparison = (props: ComparisonProps) => ReactNode;

const Context = createContext<RenderComparison | undefined>(undefined);

/** Provides the dialog that compares payloads. It finds the other payload in runs, which this folder does not import. */
export function ComparisonProvider({ render, children }: { render: RenderComparison; children: ReactNode }) {
  return <Context value={render}>{children}</Context>;
}

export function useComparison(): RenderComparison {
  const render = useContext(Context);
  if (!render) throw new Error('A payload was rendered outside of <ComparisonProvider>.');
  return render;
}
