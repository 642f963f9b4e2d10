import { Link } from '@tanstack/react-router';
import { SearchX } from 'lucide-react';
import { buttonClass } from '../../components/button.tsx';
import { Empty } from '../../components/notice.tsx';

export function NotFound() {
  return (
    <Empty
      icon={<SearchX size={16} />}
      title="There is no page at this address"
      action={
        <Link to="/" className={buttonClass()}>
          All workflows
        </Link>
      }
    >
      A run’s address is /ns/NAMESPACE/workflows/WORKFLOW-ID/RUN-ID.
    </Empty>
  );
}
