import { lazy, Suspense } from 'react';
import type { FailureViewProps } from './failure-view.tsx';

const FailureView = lazy(async () => ({ default: (await import('./failure-view.tsx')).FailureView }));

/**
 * A failure with its causes and stack traces. The component's code is loaded when a failure is first shown in
 * full.
 */
export function FailurePanel(props: FailureViewProps) {
  return (
    <Suspense>
      <FailureView {...props} />
    </Suspense>
  );
}
