import { useNavigate } from '@tanstack/react-router';
import { lazy, Suspense } from 'react';
import { useCommands } from '../../ui/commands/registry.ts';
import { comparisonOf } from '../run-params.ts';
import type { Picks } from './table/use-picks.ts';

/** Loaded when first shown. */
const PickedRuns = lazy(async () => ({ default: (await import('./picked-runs.tsx')).PickedRuns }));

/**
 * The picked runs and the link to their comparison. The bar is below the list, so that no row moves when the
 * bar appears.
 */
export function PicksBar({ namespace, picks }: { namespace: string; picks: Picks }) {
  const navigate = useNavigate();
  const [first, second] = picks.runs;
  const comparison = first && second ? comparisonOf(namespace, first, second) : undefined;
  useCommands({
    'runs.compare': comparison && (() => void navigate(comparison)),
    'runs.pick': () => picks.setPicking(true),
    'runs.unpick': first || picks.picking ? picks.clear : undefined,
  });
  if (!first && !picks.picking) return null;
  return (
    <Suspense>
      <PickedRuns picks={picks} comparison={comparison} />
    </Suspense>
  );
}
