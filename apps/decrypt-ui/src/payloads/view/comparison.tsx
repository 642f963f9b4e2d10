import type { PayloadStub } from '@temporal-kms/codec-api';
import type { ReactNode } from 'react';
import { requiredContext } from '../../ui/required-context.ts';

export interface ComparisonProps {
  readonly stub: PayloadStub;
  readonly title: string;
  readonly onClose: () => void;
}

/** Renders the dialog that compares a payload with another payload. */
type RenderComparison = (props: ComparisonProps) => ReactNode;

/** The default for payloads outside runs, for which there is no comparison dialog. */
export const noComparison: RenderComparison = () => null;

const [Context, useComparison] = requiredContext<RenderComparison>('ComparisonProvider');
export { useComparison };

/**
 * Provides the dialog that compares payloads. The dialog depends on the folder `runs`, which this folder must
 * not import.
 */
export function ComparisonProvider({ render, children }: { render: RenderComparison; children: ReactNode }) {
  return <Context value={render}>{children}</Context>;
}
