import { TriangleAlert } from 'lucide-react';
import { Button } from '../../components/button.tsx';
import { Empty } from '../../components/notice.tsx';

/** The page can't start without its configuration: it would ask the wrong server. */
export function StartFailure({ message }: { message: string }) {
  return (
    <Empty
      icon={<TriangleAlert size={16} />}
      title="The dashboard can’t start"
      action={<Button onClick={() => location.reload()}>Reload</Button>}
    >
      {message}
    </Empty>
  );
}
