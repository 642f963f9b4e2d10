import { Link } from '@tanstack/react-router';
import { escapeInvisible } from '@temporal-kms/codec-api';
import { ChevronLeft } from 'lucide-react';
import { type RefCallback, useCallback } from 'react';
import type { RunAddress } from '../../session/server/addresses.ts';
import { buttonClass } from '../../ui/controls/button.tsx';
import styles from './run-header.module.css';

/** A link back to the list, and the workflow id as the heading of a run's page. */
export function RunTitle({ address: { namespace, workflowId } }: { address: RunAddress }) {
  const heading = useHeadingFocus();
  return (
    <>
      <Link
        to="/ns/$namespace/workflows"
        params={{ namespace }}
        className={buttonClass({ look: 'ghost', icon: true })}
        aria-label="All workflows"
        data-tip="All workflows"
      >
        <ChevronLeft size={16} />
      </Link>
      <h1 ref={heading} tabIndex={-1} className={styles['id']}>
        {/* The tooltip is not on the heading, because it would appear when the heading gets the focus. */}
        <span data-tip={escapeInvisible(workflowId)}>{escapeInvisible(workflowId)}</span>
      </h1>
    </>
  );
}

/**
 * Focuses the heading when a page opens, so that screen readers read it and Tab continues from it. Does nothing if
 * another element already has the focus.
 */
function useHeadingFocus(): RefCallback<HTMLElement> {
  return useCallback((heading: HTMLElement | null) => {
    if (!heading) return undefined;
    // Focuses in the next frame, which computes the layout anyway: focusing now would compute it once more.
    const frame = requestAnimationFrame(() => {
      if (document.activeElement === document.body) heading.focus({ preventScroll: true });
    });
    return () => cancelAnimationFrame(frame);
  }, []);
}
