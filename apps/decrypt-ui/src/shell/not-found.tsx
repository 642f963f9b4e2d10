import { Link } from '@tanstack/react-router';
import { SearchX } from 'lucide-react';
import { buttonClass } from '../ui/controls/button.tsx';
import { EmptyState } from '../ui/page/notice.tsx';

/** The page for an unknown address. */
export function NotFound() {
  return (
    <EmptyState
      page
      icon={<SearchX size={16} />}
      title="There is no page at this address"
      action={
        <Link to="/" className={buttonClass()}>
          All workflows
        </Link>
      }
    >
      The address of a run is <span className="mono">/ns/NAMESPACE/workflows/WORKFLOW-ID/RUN-ID</span>.
    </EmptyState>
  );
}
